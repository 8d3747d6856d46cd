/**
 * Ready-made lines that report to a check.
 */
import type { ICheck } from '../documents';

export interface ISnippet {
  id: 'notebook' | 'python' | 'bash' | 'crontab' | 'command' | 'powershell';
  label: string;
  code: string;
  /** Whether it is for a cell. */
  cell: boolean;
}

/** A name as `%%healthcheck` and a shell take it. */
function quoted(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : `'${name.replace(/'/g, `'\\''`)}'`;
}

function cronOf({ kind, schedule, timeout }: ICheck): string {
  if (kind === 'cron' && schedule) {
    return schedule;
  }
  const minutes = Math.max(1, Math.round((timeout ?? 86400) / 60));
  if (minutes < 60) {
    return `*/${minutes} * * * *`;
  }
  return minutes < 1440 ? `0 */${Math.round(minutes / 60)} * * *` : '0 3 * * *';
}

/** Snippets of a check. Its address is a secret of whoever has it: who knows it can report. */
export function snippets(check: ICheck): ISnippet[] {
  const url = check.ping_url;
  const name = quoted(check.name);
  return [
    { id: 'notebook', label: 'Notebook', cell: true, code: `%%healthcheck ${name}\n` },
    {
      id: 'command',
      label: 'naas',
      cell: false,
      code: `naas ping ${name} -- ./my-program`
    },
    ...(url === ''
      ? []
      : ([
          {
            id: 'bash',
            label: 'Bash',
            cell: false,
            code: `url=${url}\ncurl -fsS -m 10 --retry 5 -o /dev/null "$url/start"\n./my-program\ncurl -fsS -m 10 --retry 5 -o /dev/null "$url/$?"`
          },
          {
            id: 'crontab',
            label: 'crontab',
            cell: false,
            code: `${cronOf(check)} /path/to/my-program && curl -fsS -m 10 --retry 5 -o /dev/null ${url}`
          },
          {
            id: 'python',
            label: 'Python',
            cell: true,
            code: `from naas_client.checks import healthcheck\n\nwith healthcheck(${JSON.stringify(check.name)}):\n    ...`
          },
          {
            id: 'powershell',
            label: 'PowerShell',
            cell: false,
            code: `Invoke-RestMethod -TimeoutSec 10 ${url}`
          }
        ] as ISnippet[]))
  ];
}
