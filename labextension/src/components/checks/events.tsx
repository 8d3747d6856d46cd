import React from 'react';

import { happened } from '../../checks/happened';
import type { ICheckHistory } from '../../checks/model';
import { checkState, pingState, sender, took } from '../../checks/words';
import type { ICheck, ICheckFlip, ICheckPingBody } from '../../documents';
import { asFailure } from '../../api';
import { absolute, clock, duration, moment } from '../../formats';
import { StateIcon } from '../../icons';
import { told } from '../../words';
import { LinkButton } from '../basics';
import { useNaas } from '../context';
import { Empty } from '../states';

/** What a ping said, asked for when somebody wants to read it. */
function Body({ check, n }: { check: ICheck; n: number }): JSX.Element {
  const { language, model } = useNaas();
  const { trans } = language;
  const [body, setBody] = React.useState<ICheckPingBody | null>(null);
  const [problem, setProblem] = React.useState('');
  if (problem !== '') {
    return <span className="jp-Naas-problem">{told(problem, trans)}</span>;
  }
  if (body === null) {
    return (
      <LinkButton
        label={trans.__('Show message')}
        name={trans.__('Show the message of event %1', n)}
        onClick={() =>
          model.checks.body(check, n).then(setBody, (error: unknown) => setProblem(asFailure(error).message))
        }
      />
    );
  }
  return body.binary ? (
    <span>{trans.__('binary')}</span>
  ) : (
    <pre className="jp-Naas-message">
      {body.text}
      {body.truncated ? `\n${trans.__('… the rest is on the Healthchecks server')}` : ''}
    </pre>
  );
}

function Flip({ flip, lasted, now }: { flip: ICheckFlip; lasted: number | null; now: Date }): JSX.Element {
  const { language } = useNaas();
  const { trans, tag } = language;
  const at = new Date(flip.at);
  return (
    <tr className="jp-Naas-flip">
      <td />
      <td colSpan={5} title={absolute(at, tag)}>
        <StateIcon look={flip.up ? 'ok' : 'bad'} />
        <b>{flip.up ? trans.__('Came up') : trans.__('Went down')}</b> {moment(at, now, tag)}
        {flip.up && lasted !== null ? ` · ${trans.__('down for %1', duration(lasted, language))}` : ''}
      </td>
    </tr>
  );
}

/** What happened to a check. */
export function Events(props: { check: ICheck; history: ICheckHistory; now: Date }): JSX.Element {
  const { language } = useNaas();
  const { trans, tag } = language;
  const { check, history, now } = props;
  const rows = React.useMemo(() => happened(history), [history]);
  if (rows.length === 0) {
    return (
      <Empty title={trans.__('No events yet')}>
        {check.ping_url === ''
          ? trans.__('With a read-only key, events are on the Healthchecks server only.')
          : trans.__('Copy one of the ways to report, and run it once.')}
      </Empty>
    );
  }
  return (
    <section aria-label={trans.__('Events')}>
      <h3>{trans.__('Events')}</h3>
      <table className="jp-Naas-events">
        <thead>
          <tr>
            <th scope="col">#</th>
            <th scope="col">{trans.__('Event')}</th>
            <th scope="col">{trans.__('When')}</th>
            <th scope="col">{trans.__('Took')}</th>
            <th scope="col">{trans.__('From')}</th>
            <th scope="col">{trans.__('Message')}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(row => {
            if ('flip' in row) {
              return <Flip key={`flip ${row.flip.at}`} flip={row.flip} lasted={row.lasted} now={now} />;
            }
            const { ping, at } = row;
            const { look, word } = pingState(ping, trans);
            const today = at.toDateString() === now.toDateString();
            return (
              <tr key={ping.n} data-event={ping.type}>
                <td className="jp-Naas-detail">{ping.n}</td>
                <td>
                  <StateIcon look={look} />
                  {word}
                </td>
                <td title={absolute(at, tag)}>
                  {today ? trans.__('today %1', clock(at, tag)) : moment(at, now, tag)}
                </td>
                <td>{ping.duration === null ? '' : took(ping.duration, language)}</td>
                <td title={ping.user_agent}>{sender(ping, trans)}</td>
                <td>{ping.has_body ? <Body check={check} n={ping.n} /> : null}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {history.next === null ? null : (
        <p className="jp-Naas-hint">{trans.__('Older events are on the Healthchecks server.')}</p>
      )}
    </section>
  );
}

/** The state of a check as its line says it. */
export function StateLine({ check, words }: { check: ICheck; words: readonly string[] }): JSX.Element {
  const { trans } = useNaas().language;
  const { look, word } = checkState(check, trans);
  return (
    <span className="jp-Naas-stateLine" data-testid="naas-check-state" data-look={look}>
      <StateIcon look={look} />
      {[word, ...words].join(' · ')}
    </span>
  );
}
