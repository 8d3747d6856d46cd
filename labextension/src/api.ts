import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type { IErrorAnswer } from './documents';
import type { IFailure } from './resource';

/** Milliseconds; longer than the server extension waits for the platform, so that its own sentence arrives. */
const TIMEOUT = 25_000;

export class ApiError extends Error implements IFailure {
  constructor(
    readonly code: string,
    message: string,
    readonly requestId = ''
  ) {
    super(message);
  }
}

function networkError(): ApiError {
  return new ApiError(
    'network',
    'Your Jupyter server does not answer. Check your network; the panel tries again by itself.'
  );
}

async function errorOf(response: Response): Promise<ApiError> {
  try {
    const { error } = (await response.json()) as IErrorAnswer;
    return new ApiError(error.code, error.message, error.request_id);
  } catch {
    return response.status === 404
      ? new ApiError(
          'no-extension',
          'The server extension of this panel is not active. Restart your server; if it stays, ask support.'
        )
      : new ApiError(
          `http-${response.status}`,
          'Your Jupyter server gave an answer that the panel does not understand. Reload the page.'
        );
  }
}

/** The calls of `naas/api`; every failure is an `ApiError`. */
export class Api {
  constructor(private readonly settings: ServerConnection.ISettings) {}

  async get<T>(path: string): Promise<T> {
    const response = await this.fetch(path, { signal: AbortSignal.timeout(TIMEOUT) });
    try {
      return (await response.json()) as T;
    } catch {
      throw networkError();
    }
  }

  /** Open the event stream after `lastEventId`. */
  async events(lastEventId: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const headers = lastEventId ? { 'Last-Event-ID': lastEventId } : undefined;
    const response = await this.fetch('events', { headers, signal });
    if (response.body === null) {
      throw networkError();
    }
    return response.body;
  }

  private async fetch(path: string, init: RequestInit): Promise<Response> {
    let response: Response;
    try {
      const url = URLExt.join(this.settings.baseUrl, 'naas', 'api', path);
      response = await ServerConnection.makeRequest(url, init, this.settings);
    } catch {
      throw networkError();
    }
    if (!response.ok) {
      throw await errorOf(response);
    }
    return response;
  }
}

export function asFailure(error: unknown): IFailure {
  return error instanceof ApiError ? error : networkError();
}
