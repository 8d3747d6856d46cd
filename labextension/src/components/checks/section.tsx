import { addIcon, codeIcon, ellipsesIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { checkDetail, checksSummary, checkState } from '../../checks/words';
import type { ICheck, ICheckPage, ICheckProblem } from '../../documents';
import { absolute, age, count } from '../../formats';
import { StateIcon } from '../../icons';
import { commandEntry, openMenu } from '../../menu';
import { CommandIDs } from '../../tokens';
import { told } from '../../words';
import { IconButton, LinkButton, Name, Note } from '../basics';
import { useNaas } from '../context';
import { IRowPlace, RowGrid } from '../rowGrid';
import { onSearchKey, Search } from '../search';
import { Section } from '../section';
import { Empty, Failure, Loading, Stale } from '../states';
import { checkEntries } from './actions';
import { projectEntries } from './projects';

function Row(props: IRowPlace & { check: ICheck; now: Date }): JSX.Element {
  const context = useNaas();
  const { language, model, commands } = context;
  const { check, now } = props;
  const { look, word } = checkState(check, language.trans);
  const detail = checkDetail(check, now, language);
  const shown = model.checks.place?.check === check.id;
  const last = check.last_ping === null ? '' : age(new Date(check.last_ping), now, language);
  const menu = (anchor: HTMLElement) => openMenu(anchor, checkEntries(context, check));
  return (
    <div
      role="row"
      className={`jp-Naas-row jp-mod-interactive jp-Naas-checkRow ${shown ? 'jp-mod-current' : ''}`}
      aria-label={[check.name, word, detail].filter(text => text !== '').join(', ')}
      aria-rowindex={props.index + 1}
      aria-current={shown ? 'true' : undefined}
      tabIndex={props.active ? 0 : -1}
      data-check={check.name}
      data-look={look}
      onFocus={props.onFocus}
      onClick={() => void commands.execute(CommandIDs.openCheck, { project: check.project, check: check.id })}
      onContextMenu={event => {
        event.preventDefault();
        menu(event.currentTarget);
      }}
    >
      <StateIcon look={look} />
      <div role="gridcell" className="jp-Naas-cell">
        <div className="jp-Naas-title">
          <Name text={check.name || check.slug || check.id} />
        </div>
        <div className="jp-Naas-detail">
          <span className={look === 'bad' || look === 'warn' ? `jp-mod-${look}` : ''}>{word}</span>
          {detail === '' ? null : ` · ${detail}`}
        </div>
      </div>
      <span
        role="gridcell"
        className="jp-Naas-side"
        title={check.last_ping === null ? undefined : absolute(new Date(check.last_ping), language.tag)}
      >
        {last}
      </span>
      <div role="gridcell" className="jp-Naas-actions" onClick={event => event.stopPropagation()}>
        <IconButton
          icon={ellipsesIcon}
          name={language.trans.__('More for %1', check.name)}
          tabIndex={-1}
          onClick={event => menu(event.currentTarget)}
        />
      </div>
    </div>
  );
}

function CheckGrid({ items, now }: { items: readonly ICheck[]; now: Date }): JSX.Element {
  const context = useNaas();
  return (
    <RowGrid
      name={context.language.trans.__('Healthchecks')}
      items={items}
      nameOf={({ name }) => name}
      menu={(check, anchor) => openMenu(anchor, checkEntries(context, check))}
      draw={(check, place) => <Row key={check.id} check={check} now={now} {...place} />}
    />
  );
}

/** Which checks are listed: a project, a tag. */
function Filters({ page }: { page: ICheckPage }): JSX.Element {
  const { language, model } = useNaas();
  const { trans, tag: locale } = language;
  const { checks } = model;
  const { project, tag } = checks.filter;
  const projects = checks.projects.data?.items ?? [];
  return (
    <div className="jp-Naas-filters">
      {projects.length > 1 ? (
        <button
          type="button"
          className="jp-Naas-link"
          aria-haspopup="menu"
          onClick={event =>
            openMenu(event.currentTarget, [
              { label: trans.__('All projects'), execute: () => checks.show({ project: 0, tag: '' }) },
              null,
              ...projects.map(({ id, name }) => ({
                label: name,
                execute: () => checks.show({ project: id, tag: '' })
              }))
            ])
          }
        >
          {checks.project(project)?.name ?? trans.__('All projects')}
        </button>
      ) : null}
      {page.tags.length > 0 || tag !== '' ? (
        <button
          type="button"
          className="jp-Naas-link"
          aria-haspopup="menu"
          onClick={event =>
            openMenu(event.currentTarget, [
              { label: trans.__('All tags'), execute: () => checks.show({ tag: '' }) },
              null,
              ...page.tags.map(each => ({ label: each, execute: () => checks.show({ tag: each }) }))
            ])
          }
        >
          {tag === '' ? trans.__('All tags') : tag}
        </button>
      ) : null}
      <span className="jp-Naas-headingSide">{count(page.total ?? page.items.length, locale)}</span>
    </div>
  );
}

/** Why a project's checks are not as its server has them now, with the step that mends it. */
function Problem({ problem, now }: { problem: ICheckProblem; now: Date }): JSX.Element {
  const context = useNaas();
  const { language, model } = context;
  const { trans } = language;
  const project = model.checks.project(problem.project);
  const mend =
    problem.code === 'key-revoked' && project?.manageable
      ? projectEntries(context, project).find(({ id }) => id === 'key')
      : undefined;
  return (
    <Note
      kind={problem.code === 'key-revoked' ? 'bad' : 'warn'}
      actions={
        mend ? (
          <LinkButton label={mend.label} onClick={mend.execute} />
        ) : (
          <LinkButton label={trans.__('Try again')} onClick={() => model.checks.refresh()} />
        )
      }
    >
      {project ? <b>{project.name}: </b> : null}
      {told(problem.message, trans)}{' '}
      {problem.as_of === null
        ? null
        : trans.__('Shown as it was %1.', age(new Date(problem.as_of), now, language))}
    </Note>
  );
}

function Content({ page, now }: { page: ICheckPage; now: Date }): JSX.Element {
  const { language, model, commands } = useNaas();
  const { trans, tag: locale } = language;
  const { checks } = model;
  const { search, tag } = checks.filter;
  const filtered = search !== '' || tag !== '';
  const projects = checks.projects.data?.items;
  if (projects?.length === 0) {
    return (
      <Empty
        title={trans.__('No project')}
        action={
          <LinkButton
            label={trans.__('Add a project…')}
            onClick={() => commands.execute(CommandIDs.addCheckProject)}
          />
        }
      >
        {trans.__('Paste the API key of a Healthchecks project once; it stays with the platform.')}
      </Empty>
    );
  }
  const rest = (page.total ?? 0) - page.items.length;
  return (
    <div onKeyDown={onSearchKey}>
      {page.items.length > 0 || filtered ? (
        <>
          <Search
            place={checks.filter.project}
            text={search}
            name={trans.__('Search checks')}
            onSearch={text => checks.show({ search: text })}
          />
          <Filters page={page} />
        </>
      ) : null}
      {page.problems.map(problem => (
        <Problem key={problem.project} problem={problem} now={now} />
      ))}
      {page.items.length > 0 ? <CheckGrid items={page.items} now={now} /> : null}
      {page.next !== null ? (
        <p className="jp-Naas-hint">
          <LinkButton
            label={
              rest > 0
                ? trans._n('Show 1 more', 'Show more of %2', rest, count(rest, locale))
                : trans.__('Show more')
            }
            onClick={() => checks.more()}
          />
        </p>
      ) : null}
      {page.items.length === 0 && page.problems.length === 0 ? (
        filtered ? (
          <Empty
            title={trans.__('No check matches')}
            action={
              <LinkButton label={trans.__('Show all')} onClick={() => checks.show({ search: '', tag: '' })} />
            }
          >
            {trans.__('Names, tags and descriptions were looked through.')}
          </Empty>
        ) : (
          <Empty
            title={trans.__('No checks')}
            action={
              <LinkButton
                label={trans.__('New healthcheck…')}
                onClick={() => commands.execute(CommandIDs.newCheck)}
              />
            }
          >
            {trans.__('Put %%%%healthcheck name on top of a cell, or make one here.')}
          </Empty>
        )
      ) : null}
    </div>
  );
}

/** The section of healthchecks; nothing where the site has none. */
export function Checks(props: { open: boolean; onToggle: () => void; now: Date }): JSX.Element | null {
  const context = useNaas();
  const { language, model, commands } = context;
  const { trans, tag } = language;
  const { checks } = model;
  if (!checks.offered) {
    return null;
  }
  const view = checks.checks.view(checks.interval);
  const data = view.kind === 'data' ? view : null;
  return (
    <Section
      id="jp-naas-checks"
      title={trans.__('Healthchecks')}
      open={props.open}
      onToggle={props.onToggle}
      summary={data ? checksSummary(data.data, language) : null}
      tooltip={data ? trans.__('As of %1', absolute(data.receivedAt, tag)) : undefined}
      tools={
        <>
          {checks.writable.length > 0 ? (
            <IconButton
              icon={addIcon}
              name={trans.__('New healthcheck')}
              onClick={() => void commands.execute(CommandIDs.newCheck)}
            />
          ) : null}
          <IconButton
            icon={codeIcon}
            name={trans.__('Insert code for a healthcheck')}
            onClick={() => void commands.execute(CommandIDs.insertCheckCode)}
          />
          <IconButton
            icon={ellipsesIcon}
            name={trans.__('More for healthchecks')}
            onClick={event => {
              const chosen = checks.project(checks.filter.project) ?? checks.projects.data?.items[0] ?? null;
              openMenu(event.currentTarget, [
                commandEntry(commands, CommandIDs.addCheckProject),
                ...(chosen ? [null, ...projectEntries(context, chosen)] : [])
              ]);
            }}
          />
        </>
      }
    >
      {view.kind === 'loading' ? (
        <Loading
          seconds={view.seconds}
          what={waited => trans.__('Still asking for your checks, %1', waited)}
        />
      ) : null}
      {view.kind === 'error' ? (
        <Failure
          title={trans.__('The checks could not be read.')}
          failure={view.failure}
          retry={() => checks.refresh()}
        >
          {trans.__('Cells run as ever; pings are sent later.')}
        </Failure>
      ) : null}
      {data?.stale ? (
        <Stale receivedAt={data.receivedAt} now={props.now} retry={() => checks.refresh()} />
      ) : null}
      {data ? <Content page={data.data} now={props.now} /> : null}
    </Section>
  );
}
