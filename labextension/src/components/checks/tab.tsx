import { Clipboard } from '@jupyterlab/apputils';
import { codeIcon, ellipsesIcon, refreshIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { snippets } from '../../checks/snippets';
import { lastAndNext } from '../../checks/words';
import type { ICheck } from '../../documents';
import { openMenu } from '../../menu';
import { CommandIDs } from '../../tokens';
import { IconButton, LinkButton, Note, Tool } from '../basics';
import { ask } from '../backup/question';
import { useChanges, useNaas, useNow } from '../context';
import { asFailure } from '../../api';
import { Empty, States } from '../states';
import { told } from '../../words';
import { act, checkEntries, insertable, pauseEntry } from './actions';
import { Badges } from './badges';
import { Events, StateLine } from './events';
import { complete, draftOf, fieldsOf, Schedule } from './schedule';
import { channelName, Tell, useChannels } from './tell';
import { Uptime } from './uptime';

/** The schedule, changed in place. */
function ScheduleCard({ check }: { check: ICheck }): JSX.Element {
  const { language, model } = useNaas();
  const { trans } = language;
  const saved = draftOf(check);
  const [draft, setDraft] = React.useState(saved);
  const [problem, setProblem] = React.useState('');
  const [busy, setBusy] = React.useState(false);
  const key = JSON.stringify(saved);
  React.useEffect(() => setDraft(saved), [check.id, key]);
  const changed = JSON.stringify(draft) !== key;
  const save = async () => {
    setBusy(true);
    setProblem('');
    try {
      await model.checks.change(check, fieldsOf(draft));
    } catch (error) {
      setProblem(asFailure(error).message);
    }
    setBusy(false);
  };
  return (
    <form
      className="jp-Naas-card"
      onSubmit={event => {
        event.preventDefault();
        if (changed && !busy && complete(draft, trans)) {
          void save();
        }
      }}
    >
      <h3>
        {trans.__('Schedule')}
        {changed ? <span className="jp-Naas-headingSide">{trans.__('not saved')}</span> : null}
      </h3>
      <Schedule draft={draft} onChange={setDraft} />
      {problem === '' ? null : <Note kind="bad">{told(problem, trans)}</Note>}
      {changed ? (
        <div className="jp-Naas-cardButtons">
          <button
            type="submit"
            className="jp-Naas-button jp-mod-primary"
            disabled={busy || !complete(draft, trans)}
          >
            {trans.__('Save schedule')}
          </button>
          <button type="button" className="jp-Naas-button" onClick={() => setDraft(saved)}>
            {trans.__('Discard')}
          </button>
        </div>
      ) : null}
    </form>
  );
}

/** Ways to report. */
function PingFrom({ check }: { check: ICheck }): JSX.Element | null {
  const { language, model, commands } = useNaas();
  const { trans } = language;
  const all = snippets(check, model.checks.nameSpace(check));
  const [chosen, setChosen] = React.useState('notebook');
  const current = all.find(({ id }) => id === chosen) ?? all[0];
  if (current === undefined) {
    return null; // neither a name nor an address leads there
  }
  return (
    <section className="jp-Naas-card" aria-label={trans.__('Ping from')}>
      <h3>{trans.__('Ping from')}</h3>
      <div className="jp-Naas-snippetKinds" role="radiogroup" aria-label={trans.__('Ping from')}>
        {all.map(({ id, label }) => (
          <label key={id} className={id === current.id ? 'jp-mod-chosen' : ''}>
            <input
              type="radio"
              name="jp-naas-snippet"
              checked={id === current.id}
              onChange={() => setChosen(id)}
            />
            {label}
          </label>
        ))}
      </div>
      <pre className="jp-Naas-snippet" data-testid="naas-snippet">
        {current.code}
      </pre>
      <div className="jp-Naas-cardButtons">
        {current.cell ? (
          <button
            type="button"
            className="jp-Naas-button"
            onClick={() => void commands.execute(CommandIDs.insertCheckCode, { code: current.code })}
          >
            {trans.__('Insert in notebook')}
          </button>
        ) : null}
        <button type="button" className="jp-Naas-button" onClick={() => Clipboard.copyToSystem(current.code)}>
          {trans.__('Copy')}
        </button>
      </div>
    </section>
  );
}

function Side({ check }: { check: ICheck }): JSX.Element {
  const context = useNaas();
  const { language, model } = context;
  const { trans } = language;
  const writable = model.checks.project(check.project)?.writable ?? false;
  const { channels } = useChannels(check.project);
  const names = check.channels.map(id => channels?.find(channel => channel.id === id)).filter(Boolean);
  return (
    <aside className="jp-Naas-checkSide">
      {writable ? <ScheduleCard check={check} /> : null}
      <PingFrom check={check} />
      {check.ping_url === '' ? null : (
        <section className="jp-Naas-card" aria-label={trans.__('Address')}>
          <h3>
            {trans.__('Address')}
            <span className="jp-Naas-headingSide">
              <LinkButton
                label={trans.__('Copy')}
                name={trans.__('Copy the address')}
                onClick={() => Clipboard.copyToSystem(check.ping_url)}
              />
            </span>
          </h3>
          <code className="jp-Naas-address" title={check.ping_url}>
            {check.ping_url.replace(/^https?:\/\//, '')}
          </code>
        </section>
      )}
      {writable ? (
        <section className="jp-Naas-card" aria-label={trans.__('Tell')}>
          <h3>
            {trans.__('Tell')}
            <span className="jp-Naas-headingSide">
              <LinkButton
                label={trans.__('Edit')}
                name={trans.__('Choose who is told')}
                onClick={() => ask(context, close => <Tell check={check} close={close} />)}
              />
            </span>
          </h3>
          <p className="jp-Naas-detail">
            {names.length > 0 ? names.map(channel => channelName(channel!)).join(', ') : trans.__('Nobody')}
          </p>
        </section>
      ) : null}
    </aside>
  );
}

function Header({ check, now }: { check: ICheck; now: Date }): JSX.Element {
  const context = useNaas();
  const { language, model, commands } = context;
  const { trans } = language;
  const pause = pauseEntry(context, check);
  const entries = checkEntries(context, check).slice(1); // it is open
  return (
    <header className="jp-Naas-tabHeader">
      <div className="jp-Naas-tabTitle">
        <h1 className="jp-Naas-way">{check.name}</h1>
        <div className="jp-Naas-tabTools">
          {pause.enabled ? (
            <button type="button" className="jp-Naas-button" onClick={pause.execute}>
              {pause.label}
            </button>
          ) : null}
          <Tool
            icon={codeIcon}
            label={trans.__('Insert code')}
            onClick={() =>
              void commands.execute(CommandIDs.insertCheckCode, { code: insertable(context, check) })
            }
          />
          <IconButton
            icon={ellipsesIcon}
            name={trans.__('More for %1', check.name)}
            onClick={event =>
              openMenu(event.currentTarget, [
                ...entries,
                null,
                {
                  label: trans.__('Badges…'),
                  execute: () => ask(context, close => <Badges check={check} close={close} />)
                }
              ])
            }
          />
        </div>
      </div>
      <div className="jp-Naas-tabLine">
        <StateLine
          check={check}
          words={[
            ...lastAndNext(check, now, language),
            ...(check.tags.length > 0 ? [trans.__('tags %1', check.tags.join(', '))] : [])
          ]}
        />
        <IconButton
          icon={refreshIcon}
          name={trans.__('Refresh')}
          onClick={() => void act(context, model.checks.refresh())}
        />
      </div>
      {check.desc === '' ? null : <p className="jp-Naas-desc">{check.desc}</p>}
    </header>
  );
}

/** One check: how it was, what happened, when it is expected, how to report. */
export function CheckTab(): JSX.Element {
  const { language, model } = useNaas();
  const { trans } = language;
  const { checks } = model;
  useChanges(checks);
  const now = useNow(checks.tabVisible);
  return (
    <div className="jp-Naas jp-Naas-tab jp-Naas-checkTab">
      {checks.place === null ? (
        <Empty title={trans.__('No check is open')}>{trans.__('Choose one in the panel.')}</Empty>
      ) : (
        <States
          view={checks.check.view(checks.interval)}
          failed={trans.__('The check could not be read.')}
          now={now}
          retry={() => checks.refresh()}
        >
          {check => (
            <>
              <Header check={check} now={now} />
              <div className="jp-Naas-checkBody">
                <main className="jp-Naas-checkMain">
                  <States
                    view={checks.history.view(checks.interval)}
                    failed={trans.__('The events could not be read.')}
                    now={now}
                    retry={() => checks.refresh()}
                  >
                    {history => (
                      <>
                        <Uptime check={check} flips={history.flips} now={now} />
                        <Events check={check} history={history} now={now} />
                      </>
                    )}
                  </States>
                </main>
                <Side key={check.id} check={check} />
              </div>
            </>
          )}
        </States>
      )}
    </div>
  );
}
