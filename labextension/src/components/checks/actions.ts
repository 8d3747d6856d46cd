import { Clipboard, Notification } from '@jupyterlab/apputils';
import React from 'react';

import { asFailure } from '../../api';
import { cell, snippets } from '../../checks/snippets';
import type { ICheck } from '../../documents';
import type { IEntry } from '../../menu';
import { CommandIDs } from '../../tokens';
import { told } from '../../words';
import { ask } from '../backup/question';
import type { IContext } from '../context';
import { CheckForm } from './checkForm';
import { DeleteCheck } from './deleteCheck';

/** Do something to a check; a refusal is said, not swallowed. */
export async function act({ language }: IContext, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    Notification.error(told(asFailure(error).message, language.trans), { autoClose: false });
  }
}

/** The cell that tells a check. */
export function insertable({ model }: IContext, check: ICheck): string {
  return snippets(check, model.checks.nameSpace(check)).find(({ cell }) => cell)?.code ?? cell('my-check');
}

/** Pause a check that runs, resume one that is paused. */
export function pauseEntry(context: IContext, check: ICheck): IEntry {
  const { trans } = context.language;
  const { checks } = context.model;
  const enabled = checks.project(check.project)?.writable ?? false;
  return check.status === 'paused'
    ? { label: trans.__('Resume'), enabled, execute: () => void act(context, checks.resume(check)) }
    : { label: trans.__('Pause'), enabled, execute: () => void act(context, checks.pause(check)) };
}

/** What can be done to a check. */
export function checkEntries(context: IContext, check: ICheck): (IEntry | null)[] {
  const { language, model, commands } = context;
  const { trans } = language;
  const writable = model.checks.project(check.project)?.writable ?? false;
  return [
    {
      label: trans.__('Open'),
      execute: () => void commands.execute(CommandIDs.openCheck, { project: check.project, check: check.id })
    },
    {
      label: trans.__('Insert Code'),
      execute: () => void commands.execute(CommandIDs.insertCheckCode, { code: insertable(context, check) })
    },
    {
      label: trans.__('Copy Address'),
      enabled: check.ping_url !== '',
      execute: () => Clipboard.copyToSystem(check.ping_url)
    },
    null,
    pauseEntry(context, check),
    {
      label: trans.__('Edit…'),
      enabled: writable,
      execute: () => ask(context, close => React.createElement(CheckForm, { check, close }))
    },
    {
      label: trans.__('Delete…'),
      enabled: writable,
      execute: () => ask(context, close => React.createElement(DeleteCheck, { check, close }))
    }
  ];
}
