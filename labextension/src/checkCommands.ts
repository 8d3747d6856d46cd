import { ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import { ICommandPalette, Notification, WidgetTracker } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import React from 'react';

import type { ICheckPlace } from './checks/model';
import { cell } from './checks/snippets';
import { ask } from './components/backup/question';
import { CheckForm } from './components/checks/checkForm';
import { AddProject } from './components/checks/projects';
import { CheckTab } from './components/checks/tab';
import { checkIcon } from './icons';
import type { NaasModel } from './model';
import { CHECK_ID, CommandIDs, PANEL_ID } from './tokens';
import type { NaasPanel } from './widgets/panel';
import { TabWidget } from './widgets/tab';
import type { ILanguage } from './words';

export interface ICheckParts {
  app: JupyterFrontEnd;
  model: NaasModel;
  panel: NaasPanel;
  language: ILanguage;
  palette: ICommandPalette | null;
  launcher: ILauncher | null;
  restorer: ILayoutRestorer | null;
  /** Put code into a new cell. */
  insert(code: string): Promise<void>;
}

/** The commands of healthchecks, and the tab of one. */
export function addChecks(parts: ICheckParts): void {
  const { app, model, panel, language, palette, launcher, restorer, insert } = parts;
  const { checks } = model;
  const { trans } = language;
  const { commands, shell } = app;
  const context = { model, language, commands };
  const isVisible = () => checks.offered;
  const tracker = new WidgetTracker<TabWidget>({ namespace: CHECK_ID });

  const tab = (): TabWidget => {
    const open = tracker.find(() => true);
    if (open) {
      return open;
    }
    const made = new TabWidget({
      id: CHECK_ID,
      label: trans.__('Healthcheck'),
      icon: checkIcon,
      context,
      content: React.createElement(CheckTab),
      onVisible: visible => {
        checks.tabVisible = visible;
      }
    });
    shell.add(made, 'main');
    void tracker.add(made);
    return made;
  };
  const name = () => {
    const open = tracker.find(() => true);
    const { data } = checks.check;
    if (open && data) {
      open.title.label = data.name;
    }
  };

  commands.addCommand(CommandIDs.showChecks, {
    label: trans.__('Show Healthchecks'),
    isVisible,
    execute: () => {
      panel.setOpen({ checks: true });
      shell.activateById(PANEL_ID);
    }
  });
  commands.addCommand(CommandIDs.newCheck, {
    label: args => (args.isPalette ? trans.__('New Healthcheck…') : trans.__('New healthcheck')),
    caption: trans.__('Be told when something that should run does not'),
    icon: args => (args.isPalette ? undefined : checkIcon),
    isVisible,
    execute: async () => {
      if (checks.projects.data === null) {
        await checks.refresh();
      }
      const none = checks.writable.length === 0;
      ask(context, close =>
        none
          ? React.createElement(AddProject, { close })
          : React.createElement(CheckForm, { check: null, close })
      );
    }
  });
  commands.addCommand(CommandIDs.addCheckProject, {
    label: trans.__('Add a Healthchecks Project…'),
    isVisible,
    execute: () => ask(context, close => React.createElement(AddProject, { close }))
  });
  commands.addCommand(CommandIDs.insertCheckCode, {
    label: trans.__('Insert Code for a Healthcheck'),
    isVisible,
    execute: ({ code }) => insert(typeof code === 'string' ? code : cell('my-check'))
  });
  commands.addCommand(CommandIDs.openCheck, {
    label: trans.__('Open Healthcheck'),
    execute: ({ project, check, again }) => {
      if (typeof project !== 'number' || typeof check !== 'string') {
        return;
      }
      const widget = tab();
      checks.open({ project, check });
      if (!again) {
        shell.activateById(widget.id);
      }
    }
  });

  void restorer?.restore(tracker, {
    command: CommandIDs.openCheck,
    args: () => ({ ...checks.place, again: true }),
    name: () => 'check'
  });
  let saved = checks.place;
  checks.changed.connect(() => {
    name();
    if (checks.place !== saved) {
      saved = checks.place;
      const open = tracker.find(() => true);
      if (open && saved !== null) {
        void tracker.save(open);
      } else {
        open?.dispose();
      }
    }
  });

  launcher?.add({ command: CommandIDs.newCheck, category: trans.__('Cloud'), rank: 3 });
  const category = trans.__('NaaS');
  for (const command of [CommandIDs.showChecks, CommandIDs.newCheck, CommandIDs.addCheckProject]) {
    palette?.addItem({ command, category, args: { isPalette: true } });
  }
}

/** A toast for a check that goes down, which stays until it is read or the check is up again. */
export function tellChecks(model: NaasModel, language: ILanguage, show: (place: ICheckPlace) => void): void {
  const { trans } = language;
  const told = new Map<string, { down: boolean; toast: string }>();
  model.checks.turned.connect((_, { project, check, name, down }) => {
    const before = told.get(check);
    if (before?.down === down || (before === undefined && !down)) {
      return;
    }
    if (before !== undefined) {
      Notification.dismiss(before.toast);
    }
    const toast = Notification.emit(
      down ? trans.__('%1 is down.', name) : trans.__('%1 is up again.', name),
      down ? 'error' : 'success',
      {
        autoClose: down ? false : 5000,
        actions: [{ label: trans.__('Show'), callback: () => show({ project, check }) }]
      }
    );
    told.set(check, { down, toast });
  });
}
