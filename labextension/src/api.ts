import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type { IErrorAnswer } from './documents';
import type { IFailure } from './resource';

/** Milliseconds; longer than the server extension waits for the platform, so that its own sentence arrives. */
const TIMEOUT = 25_000;
/** Milliseconds for work that grows with the number of objects: renaming or deleting a folder. */
export const LONG = 30 * 60_000;

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

  /** Parameters: `timeout`, milliseconds. */
  get<T>(path: string, signal?: AbortSignal, timeout = TIMEOUT): Promise<T> {
    return this.json<T>(path, {}, timeout, signal);
  }

  put<T>(path: string, body: unknown): Promise<T> {
    return this.json<T>(path, { method: 'PUT', body: JSON.stringify(body) }, TIMEOUT);
  }

  patch<T>(path: string, body: unknown): Promise<T> {
    return this.json<T>(path, { method: 'PATCH', body: JSON.stringify(body) }, TIMEOUT);
  }

  /** Parameters: `timeout`, milliseconds. */
  post<T>(path: string, body: unknown, timeout = TIMEOUT, signal?: AbortSignal): Promise<T> {
    return this.json<T>(path, { method: 'POST', body: JSON.stringify(body) }, timeout, signal);
  }

  async delete(path: string): Promise<void> {
    await this.fetch(path, { method: 'DELETE', signal: AbortSignal.timeout(TIMEOUT) });
  }

  /** Delete something whose end is told in the answer. */
  end<T>(path: string): Promise<T> {
    return this.json<T>(path, { method: 'DELETE' }, TIMEOUT);
  }

  /** The address of a path, for a download by the browser itself. */
  url(path: string): string {
    return URLExt.join(this.settings.baseUrl, 'naas', 'api') + `/${path}`;
  }

  /**
   * Send a file; `fetch` cannot tell how much has been sent. The same rights as `ServerConnection` are shown.
   *
   * Parameters: `progress`, called with the bytes sent so far; `signal`, to give up.
   */
  upload(
    path: string,
    file: Blob,
    headers: Record<string, string>,
    progress: (sent: number) => void,
    signal: AbortSignal
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      const stop = () => request.abort();
      request.open('PUT', this.url(path));
      const { token } = this.settings;
      const xsrf = /(?:^|;\s*)_xsrf=([^;]*)/.exec(document.cookie)?.[1];
      const rights = {
        ...(token ? { Authorization: `token ${token}` } : {}),
        ...(xsrf ? { 'X-XSRFToken': xsrf } : {})
      };
      for (const [name, value] of Object.entries({ ...headers, ...rights })) {
        request.setRequestHeader(name, value);
      }
      request.upload.onprogress = event => progress(event.loaded);
      request.onload = () =>
        request.status < 300
          ? resolve()
          : errorOf(new Response(request.responseText, { status: request.status })).then(reject);
      request.onerror = () => reject(networkError());
      request.onabort = () => reject(signal.reason);
      request.onloadend = () => signal.removeEventListener('abort', stop);
      signal.addEventListener('abort', stop);
      request.send(file);
    });
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

  private async json<T>(path: string, init: RequestInit, timeout: number, signal?: AbortSignal): Promise<T> {
    const limit = AbortSignal.timeout(timeout);
    const response = await this.fetch(path, {
      ...init,
      signal: signal ? AbortSignal.any([limit, signal]) : limit
    });
    try {
      return (await response.json()) as T;
    } catch {
      throw networkError();
    }
  }

  private async fetch(path: string, init: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(this.url(path), init, this.settings);
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
