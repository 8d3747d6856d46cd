import { IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { ISignal, Signal } from '@lumino/signaling';

import { Api, asFailure } from '../api';
import { query } from '../buckets/store';
import type {
  IAgedPage,
  ICheck,
  ICheckBadge,
  ICheckChannel,
  ICheckFields,
  ICheckFlip,
  ICheckPage,
  ICheckPing,
  ICheckPingBody,
  ICheckProject,
  ICheckProjects,
  IEvent,
  INewCheckProject,
  ISchedulePreview
} from '../documents';
import { Resource } from '../resource';

/** Seconds between two looks; the platform asks the server more rarely when many people look. */
const INTERVAL = 15;
const SLOWEST = 60;
/** Checks and pings of a page. */
const PAGE = 100;
/** Changes of three months; a check that flaps more is shown as it was until then. */
const MOST_FLIPS = 10_000;

/** Which checks are listed. */
export interface ICheckFilter {
  /** 0: of all projects. */
  project: number;
  tag: string;
  search: string;
}

/** Which check the tab shows. */
export interface ICheckPlace {
  project: number;
  check: string;
}

/** A check went down, or came up again. */
export interface ITurned extends ICheckPlace {
  name: string;
  down: boolean;
}

/** What happened to a check. */
export interface ICheckHistory {
  pings: ICheckPing[];
  /** How many more pings the server keeps; null: none. */
  next: string | null;
  flips: ICheckFlip[];
}

/** The healthchecks of the person's projects, as the platform gives them. It asks only while somebody can see the answer. */
export class ChecksModel implements IDisposable {
  readonly projects = new Resource<ICheckProjects>();
  readonly checks = new Resource<ICheckPage>();
  check = new Resource<ICheck>();
  history = new Resource<ICheckHistory>();

  constructor(private readonly api: Api) {
    this.poll = new Poll({
      name: 'naas:checks',
      factory: () => this.ask(),
      frequency: { interval: INTERVAL * 1000, backoff: true, max: SLOWEST * 1000 },
      standby: () => (this.views.size > 0 ? 'when-hidden' : true)
    });
    document.addEventListener('visibilitychange', this.onVisibility);
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emitted when a check went down or came up again: the list shows it, or the platform says so. It may be emitted twice. */
  get turned(): ISignal<this, ITurned> {
    return this._turned;
  }

  readonly interval = INTERVAL;

  get filter(): ICheckFilter {
    return this._filter;
  }

  get place(): ICheckPlace | null {
    return this._place;
  }

  get isDisposed(): boolean {
    return this.poll.isDisposed;
  }

  get tabVisible(): boolean {
    return this.views.has('tab');
  }

  set panelVisible(visible: boolean) {
    this.see('panel', visible);
  }

  set tabVisible(visible: boolean) {
    this.see('tab', visible);
  }

  /** Whether this site has healthchecks, as far as is known. */
  get offered(): boolean {
    const view = this.projects.view(INTERVAL);
    return view.kind === 'data' || (view.kind === 'error' && view.failure.code !== 'no-healthchecks');
  }

  /** The project of a check; null while it is not known. */
  project(id: number): ICheckProject | null {
    return this.projects.data?.items.find(project => project.id === id) ?? null;
  }

  /** Projects in which the person may make checks. */
  get writable(): ICheckProject[] {
    return this.projects.data?.items.filter(({ writable }) => writable) ?? [];
  }

  /** The project in which names are looked for, as `naas_client.checks` chooses: the site's, then one's own, then the oldest. */
  get own(): ICheckProject | null {
    const rank = ({ provisioned, group, id }: ICheckProject) => [
      provisioned ? 0 : 1,
      group === '' ? 0 : 1,
      id
    ];
    const [first = null] = [...this.writable].sort((a, b) => {
      const [left, right] = [rank(a), rank(b)];
      const n = left.findIndex((part, at) => part !== right[at]);
      return n < 0 ? 0 : left[n] - right[n];
    });
    return first;
  }

  /** The `project` of a check's snippets: null where its name alone leads to it, undefined where no name does. */
  nameSpace(check: ICheck): number | null | undefined {
    if (!this.project(check.project)?.writable) {
      return undefined;
    }
    return this.own?.id === check.project ? null : check.project;
  }

  /** List other checks. */
  show(filter: Partial<ICheckFilter>): void {
    this._filter = { ...this._filter, ...filter };
    this.pages = 1;
    void this.refresh();
    this._changed.emit();
  }

  /** List those that follow as well. */
  more(): Promise<void> {
    this.pages += 1;
    return this.refresh();
  }

  /** Show a check in the tab. */
  open(place: ICheckPlace): void {
    if (this._place?.check !== place.check || this._place.project !== place.project) {
      this._place = place;
      this.check = new Resource<ICheck>();
      this.history = new Resource<ICheckHistory>();
      const known = this.checks.data?.items.find(({ id }) => id === place.check);
      if (known) {
        this.check.received(known);
      }
    }
    void this.refresh();
    this._changed.emit();
  }

  /** Ask how it is now. */
  async refresh(): Promise<void> {
    this.projects.restart();
    this.checks.restart();
    this.check.restart();
    this.history.restart();
    this._changed.emit();
    await this.look();
  }

  /** Take up what the platform tells of by itself. */
  told(event: IEvent): void {
    if (event.type === 'check.down' || event.type === 'check.up') {
      const { project, check, name } = event.data as unknown as ITurned;
      this._turned.emit({ project, check, name, down: event.type === 'check.down' });
    }
    if (/^checks?\./.test(event.type) && this.views.size > 0) {
      void this.look();
    }
  }

  // What a person does; all raise `ApiError`.

  /** Parameters: `unique`, fields by which a check that is there is taken, and changed, instead of a new one. */
  async create(project: number, fields: ICheckFields, unique: (keyof ICheckFields)[] = []): Promise<ICheck> {
    const check = await this.api.post<ICheck>(`${path(project)}/checks`, { ...fields, unique });
    void this.refresh();
    return check;
  }

  async change(check: ICheck, fields: ICheckFields): Promise<void> {
    this.received(await this.api.patch<ICheck>(pathOf(check), fields));
  }

  async pause(check: ICheck): Promise<void> {
    this.received(await this.api.post<ICheck>(`${pathOf(check)}/pause`, {}));
  }

  async resume(check: ICheck): Promise<void> {
    this.received(await this.api.post<ICheck>(`${pathOf(check)}/resume`, {}));
  }

  async remove(check: ICheck): Promise<void> {
    await this.api.delete(pathOf(check));
    if (this._place?.check === check.id) {
      this._place = null;
    }
    await this.refresh();
  }

  async addProject(project: INewCheckProject): Promise<ICheckProject> {
    const made = await this.api.post<ICheckProject>('healthchecks/projects', project);
    this.show({ project: made.id });
    return made;
  }

  async changeProject(
    id: number,
    changes: { name?: string; api_key?: string; notify?: boolean }
  ): Promise<void> {
    await this.api.patch<ICheckProject>(path(id), changes);
    await this.refresh();
  }

  async removeProject(id: number): Promise<void> {
    await this.api.delete(path(id));
    this.show({ project: 0 });
  }

  preview(
    kind: 'cron' | 'oncalendar',
    schedule: string,
    tz: string,
    signal: AbortSignal
  ): Promise<ISchedulePreview> {
    return this.api.post<ISchedulePreview>(
      'healthchecks/schedule/preview',
      { kind, schedule, tz },
      undefined,
      signal
    );
  }

  body(check: ICheck, n: number): Promise<ICheckPingBody> {
    return this.api.get<ICheckPingBody>(`${pathOf(check)}/pings/${n}/body`);
  }

  channels(project: number): Promise<IAgedPage<ICheckChannel>> {
    return this.api.get<IAgedPage<ICheckChannel>>(`${path(project)}/channels`);
  }

  badges(project: number): Promise<IAgedPage<ICheckBadge>> {
    return this.api.get<IAgedPage<ICheckBadge>>(`${path(project)}/badges`);
  }

  dispose(): void {
    document.removeEventListener('visibilitychange', this.onVisibility);
    this.poll.dispose();
    Signal.clearData(this);
  }

  /** Ask now, whatever is being asked: a poll takes up no wish that comes while it is at work. Failures are in the resources. */
  private async look(): Promise<void> {
    await this.ask().catch(() => undefined);
  }

  private async ask(): Promise<void> {
    const { place, filter } = this;
    const asked = [
      this.receive(this.projects, this.api.get<ICheckProjects>('healthchecks/projects')),
      this.receive(this.checks, this.list(filter), () => filter === this._filter)
    ];
    if (place !== null) {
      const current = () => place === this._place;
      const where = `${path(place.project)}/checks/${encodeURIComponent(place.check)}`;
      asked.push(this.receive(this.check, this.api.get<ICheck>(where), current));
      asked.push(this.receive(this.history, this.happened(where), current));
    }
    const failed = (await Promise.all(asked)).filter(error => error !== null);
    if (failed.length > 0) {
      throw failed[0]; // so that the poll slows down
    }
  }

  private async receive<T>(
    resource: Resource<T>,
    answer: Promise<T>,
    wanted: () => boolean = () => true
  ): Promise<unknown> {
    try {
      const value = await answer;
      if (wanted()) {
        resource.received(value);
      }
      return null;
    } catch (error) {
      if (wanted()) {
        resource.failed(asFailure(error));
      }
      return error;
    } finally {
      this._changed.emit();
    }
  }

  private async list({ project, tag, search }: ICheckFilter): Promise<ICheckPage> {
    const where = project === 0 ? 'healthchecks/checks' : `${path(project)}/checks`;
    const ask = (cursor: string | null) =>
      this.api.get<ICheckPage>(
        `${where}?${query({ limit: PAGE, tag: tag || null, search: search || null, cursor })}`
      );
    const page = await ask(null);
    for (let n = 1; n < this.pages && page.next !== null; n += 1) {
      const { items, next } = await ask(page.next);
      page.items.push(...items);
      page.next = next;
    }
    this.compare(page.items);
    return page;
  }

  /** Say which checks have turned since they were seen last. */
  private compare(items: readonly ICheck[]): void {
    for (const { id, project, name, status } of items) {
      const down = status === 'down';
      const before = this.down.get(id);
      this.down.set(id, down);
      const its = this.project(project);
      // Of the person's own project the platform tells at once, and only what its channel Lab is told.
      if (before !== undefined && before !== down && its?.notify && !its.provisioned) {
        this._turned.emit({ project, check: id, name, down });
      }
    }
  }

  private async happened(where: string): Promise<ICheckHistory> {
    const flips = await this.api.get<IAgedPage<ICheckFlip>>(`${where}/flips`);
    while (flips.next !== null && flips.items.length < MOST_FLIPS) {
      const more: IAgedPage<ICheckFlip> = await this.api.get(
        `${where}/flips?${query({ cursor: flips.next })}`
      );
      flips.items.push(...more.items);
      flips.next = more.next;
    }
    try {
      const pings = await this.api.get<IAgedPage<ICheckPing>>(`${where}/pings?${query({ limit: PAGE })}`);
      return { pings: pings.items, next: pings.next, flips: flips.items };
    } catch (error) {
      if (asFailure(error).code === 'read-only-key') {
        return { pings: [], next: null, flips: flips.items };
      }
      throw error;
    }
  }

  private received(check: ICheck): void {
    if (this._place?.check === check.id) {
      this.check.received(check);
    }
    this._changed.emit();
    void this.look();
  }

  private see(view: string, visible: boolean): void {
    const appeared = visible && !this.views.has(view);
    visible ? this.views.add(view) : this.views.delete(view);
    if (appeared) {
      void this.poll.refresh();
    }
  }

  private onVisibility = (): void => {
    if (!document.hidden && this.views.size > 0) {
      void this.poll.refresh();
    }
  };

  private _filter: ICheckFilter = { project: 0, tag: '', search: '' };
  private _place: ICheckPlace | null = null;
  private pages = 1;
  private readonly views = new Set<string>();
  private readonly poll: Poll;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _turned = new Signal<this, ITurned>(this);
  /** Whether each check that was seen was down. */
  private readonly down = new Map<string, boolean>();
}

function path(project: number): string {
  return `healthchecks/projects/${project}`;
}

function pathOf(check: ICheck): string {
  return `${path(check.project)}/checks/${encodeURIComponent(check.id)}`;
}
