import type { Api } from './api';
import type { IMadeS3Key, INewS3Key, IS3Key, IS3Keys } from './documents';

/** The calls about long-lived keys. All raise `ApiError`. */
export class S3KeyStore {
  constructor(private readonly api: Api) {}

  list(): Promise<IS3Keys> {
    return this.api.get<IS3Keys>('s3-keys');
  }

  /** The secret is in this answer and nowhere else. */
  make(wish: INewS3Key): Promise<IMadeS3Key> {
    return this.api.post<IMadeS3Key>('s3-keys', wish);
  }

  revoke(id: number): Promise<IS3Key> {
    return this.api.end<IS3Key>(`s3-keys/${id}`);
  }
}

const PROFILE = 'naas-key';

/** A profile for AWS tools, as `naas keys make` prints it: for `~/.aws/credentials`. */
export function awsProfile(key: IMadeS3Key): string {
  return [
    `[${PROFILE}]`,
    `aws_access_key_id = ${key.access_key_id}`,
    `aws_secret_access_key = ${key.secret_access_key}`,
    `region = ${key.region}`,
    `endpoint_url = ${key.endpoint}`,
    'request_checksum_calculation = when_required',
    's3 =',
    '  addressing_style = path',
    ''
  ].join('\n');
}

/** A remote for rclone: for `~/.config/rclone/rclone.conf`. */
export function rcloneRemote(key: IMadeS3Key): string {
  return [
    `[${PROFILE}]`,
    'type = s3',
    'provider = Other',
    `access_key_id = ${key.access_key_id}`,
    `secret_access_key = ${key.secret_access_key}`,
    `region = ${key.region}`,
    `endpoint = ${key.endpoint}`,
    'no_check_bucket = true',
    ''
  ].join('\n');
}
