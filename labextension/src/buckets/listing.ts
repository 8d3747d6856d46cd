/**
 * A listing that grows page by page, as the store's continuation tokens allow. Nothing here touches the page.
 */
import type { IObjectPage, IStoredObject } from '../documents';
import { IFailure, Resource, View } from '../resource';

/** Keys that a search looks at before it asks whether to go on. */
const SEARCH_STEP = 100_000;

export interface IListed {
  items: IStoredObject[];
  next: string | null;
  /** Keys that the store looked at. */
  scanned: number;
  pages: number;
}

export type Fetch = (cursor: string | null, signal: AbortSignal) => Promise<IObjectPage>;

export class Listing {
  /** Parameters: `failure`, turns anything thrown into what can be shown; `changed`, called after each change. */
  constructor(
    private readonly fetch: Fetch,
    private readonly failure: (error: unknown) => IFailure,
    private readonly changed: () => void,
    now?: () => Date
  ) {
    this.resource = new Resource<IListed>(now);
  }

  get listed(): IListed | null {
    return this.resource.data;
  }

  /** Whether a page is on its way. */
  get busy(): boolean {
    return this.abort !== null;
  }

  /** Whether a search has looked at enough to ask before it looks at more. */
  get paused(): boolean {
    return this.listed !== null && this.listed.next !== null && this.listed.scanned >= this.limit;
  }

  view(interval: number): View<IListed> {
    return this.resource.view(interval);
  }

  /** The first page anew; what is shown stays until it is there. */
  async refresh(): Promise<void> {
    this.abort?.abort();
    this.resource.restart();
    this.limit = SEARCH_STEP;
    await this.ask(null);
  }

  /** The next page, if there is one and none is on its way. */
  async more(): Promise<void> {
    const next = this.listed?.next ?? null;
    if (next !== null && !this.busy) {
      await this.ask(next);
    }
  }

  /** Go on with a search that paused. */
  async goOn(): Promise<void> {
    this.limit = (this.listed?.scanned ?? 0) + SEARCH_STEP;
    await this.more();
  }

  stop(): void {
    this.abort?.abort();
    this.abort = null;
  }

  private async ask(cursor: string | null): Promise<void> {
    const abort = new AbortController();
    this.abort = abort;
    this.changed();
    try {
      const page = await this.fetch(cursor, abort.signal);
      if (this.abort === abort) {
        this.resource.received(this.joined(page, cursor));
      }
    } catch (error) {
      if (this.abort === abort) {
        this.resource.failed(this.failure(error));
      }
    } finally {
      if (this.abort === abort) {
        this.abort = null;
        this.changed();
      }
    }
  }

  private joined(page: IObjectPage, cursor: string | null): IListed {
    const before = cursor === null ? null : this.listed;
    return {
      items: added(before?.items ?? [], page.items),
      next: page.next,
      scanned: (before?.scanned ?? 0) + page.scanned,
      pages: (before?.pages ?? 0) + 1
    };
  }

  private readonly resource: Resource<IListed>;
  private abort: AbortController | null = null;
  private limit = SEARCH_STEP;
}

/** The rows of another page; a key that changes between two pages may come twice, and is one row. */
function added(before: IStoredObject[], items: IStoredObject[]): IStoredObject[] {
  return Array.from(new Map([...before, ...items].map(item => [item.key, item])).values());
}
