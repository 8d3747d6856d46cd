import { Api, ApiError, LONG } from '../api';
import type { IBucket, IDeleted, ILink, INewBucket, IObjectPage, IStoredObject } from '../documents';
import type { IPlace } from './keys';

/** Keys of a page. */
const PAGE = 1000;

/** Parameters of an address; those without a value are left out. */
export function query(values: Record<string, string | number | null | undefined>): string {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  return given.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join('&');
}

function of(bucket: string): string {
  return `buckets/${encodeURIComponent(bucket)}`;
}

/** The calls of `naas/api/buckets`. */
export class BucketStore {
  constructor(private readonly api: Api) {}

  /** All of them: they are few, the pages are the server's. */
  async list(): Promise<IBucket[]> {
    const found: IBucket[] = [];
    let cursor: string | null = null;
    do {
      const page: { items: IBucket[]; next: string | null } = await this.api.get(
        `buckets?${query({ limit: PAGE, cursor })}`
      );
      found.push(...page.items);
      cursor = page.next;
    } while (cursor !== null);
    return found;
  }

  /** A bucket with its usage, which the server counts. */
  bucket(name: string, signal?: AbortSignal): Promise<IBucket> {
    return this.api.get(of(name), signal);
  }

  create(bucket: INewBucket): Promise<IBucket> {
    return this.api.post('buckets', bucket);
  }

  remove(bucket: string): Promise<void> {
    return this.api.delete(of(bucket));
  }

  page(place: IPlace, search: string, cursor: string | null, signal: AbortSignal): Promise<IObjectPage> {
    const values = { prefix: place.prefix, limit: PAGE, search: search || null, cursor };
    return this.api.get(`${of(place.bucket)}/objects?${query(values)}`, signal);
  }

  /** Whether there is an object of exactly this key: it comes first of all that start with it. */
  async has(bucket: string, key: string, signal?: AbortSignal): Promise<boolean> {
    const path = `${of(bucket)}/objects?${query({ prefix: key, limit: 1 })}`;
    const { items } = await this.api.get<IObjectPage>(path, signal);
    return items.some(item => item.key === key);
  }

  makeFolder(bucket: string, prefix: string): Promise<IStoredObject> {
    return this.api.post(`${of(bucket)}/folders`, { prefix });
  }

  /** Copies, then deletes: the store has no rename. */
  rename(bucket: string, source: string, target: string): Promise<{ moved: number }> {
    return this.api.post(`${of(bucket)}/rename`, { source, target }, LONG);
  }

  /** Raises an `ApiError` with the store's cause when something is left. */
  async delete(bucket: string, items: readonly IStoredObject[]): Promise<void> {
    const keys = items.filter(item => !item.folder).map(({ key }) => key);
    const prefixes = items.filter(item => item.folder).map(({ key }) => key);
    const { errors } = await this.api.post<IDeleted>(`${of(bucket)}/delete`, { keys, prefixes }, LONG);
    if (errors.length > 0) {
      throw new ApiError('not-deleted', errors[0].message);
    }
  }

  /** Parameters: `seconds`, null for an hour or what the session still allows. */
  share(bucket: string, key: string, seconds: number | null): Promise<ILink> {
    return this.api.post(`${of(bucket)}/share`, seconds === null ? { key } : { key, seconds });
  }

  async versions(bucket: string, key: string): Promise<IStoredObject[]> {
    return (await this.api.get<IObjectPage>(`${of(bucket)}/versions?${query({ key })}`)).items;
  }

  restore(bucket: string, key: string, version: string): Promise<IStoredObject> {
    return this.api.post(`${of(bucket)}/restore`, { key, version });
  }

  downloadUrl(bucket: string, key: string, version: string | null = null): string {
    return this.api.url(`${of(bucket)}/object?${query({ key, version })}`);
  }

  /** Raises `ApiError` `exists` when there is such an object and it is not to be replaced. */
  upload(
    bucket: string,
    key: string,
    file: Blob,
    replace: boolean,
    progress: (sent: number) => void,
    signal: AbortSignal
  ): Promise<void> {
    const headers = {
      'Content-Type': file.type || 'application/octet-stream',
      ...(replace ? {} : { 'If-None-Match': '*' })
    };
    return this.api.upload(`${of(bucket)}/object?${query({ key })}`, file, headers, progress, signal);
  }
}
