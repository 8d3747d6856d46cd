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
  return /^\w[\w.-]*$/.test(name) ? name : `'${name.replace(/'/g, `'\\''`)}'`;
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

/** The cell of a check by its name. */
export function cell(name: string, project: number | null = null): string {
  return `%%healthcheck ${quoted(name)}${project === null ? '' : ` --project ${project}`}\n`;
}

/** Whether programs can know a check by its name: not when the name is none, an address, or looks like an option. */
export function nameable({ name }: ICheck): boolean {
  return name.trim() !== '' && !/^(https?:|-)/i.test(name.trim());
}

/**
 * Snippets of a check. Its address is a secret of whoever has it: who knows it can report.
 *
 * Parameters: `project`, its number where it is not the one in which names are looked for first; undefined: checks there cannot be
 * had by name, because the person may not make any.
 */
export function snippets(check: ICheck, project: number | null | undefined): ISnippet[] {
  const { ping_url: url, name } = check;
  const named = project !== undefined && nameable(check);
  const who = named ? quoted(name) : url;
  const shell = project == null || !named ? '' : `--project ${project} `;
  const python = project == null || !named ? '' : `, project=${project}`;
  const byName: ISnippet[] = [
    {
      id: 'notebook',
      label: 'Notebook',
      cell: true,
      code: named ? cell(name, project) : `%%healthcheck ${url}\n`
    },
    { id: 'command', label: 'naas', cell: false, code: `naas ping ${shell}${who} -- ./my-program` },
    {
      id: 'python',
      label: 'Python',
      cell: true,
      code: `from naas_client.checks import healthcheck\n\nwith healthcheck(${JSON.stringify(named ? name : url)}${python}):\n    ...`
    }
  ];
  const byAddress: ISnippet[] = [
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
    { id: 'powershell', label: 'PowerShell', cell: false, code: `Invoke-RestMethod -TimeoutSec 10 ${url}` }
  ];
  return [...(named || url !== '' ? byName : []), ...(url === '' ? [] : byAddress)];
}
