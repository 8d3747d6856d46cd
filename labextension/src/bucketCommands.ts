import { JupyterFrontEnd, ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette, Notification, WidgetTracker } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import React from 'react';

import { BucketBrowser } from './buckets/browser';
import { BUCKETS } from './buckets/keys';
import { BucketsTab } from './components/buckets/tab';
import { count } from './formats';
import { bucketIcon } from './icons';
import { NaasModel } from './model';
import { BUCKETS_ID, CommandIDs } from './tokens';
import { TabWidget } from './widgets/tab';
import type { ILanguage } from './words';

export interface IBucketParts {
  app: JupyterFrontEnd;
  browser: BucketBrowser;
  model: NaasModel;
  language: ILanguage;
  palette: ICommandPalette | null;
  launcher: ILauncher | null;
  restorer: ILayoutRestorer | null;
}

/** The command that opens the Buckets tab, and the places where people find it. */
export function addBuckets(parts: IBucketParts): void {
  const { app, browser, model, language, palette, launcher, restorer } = parts;
  const { trans } = language;
  const { commands, shell } = app;
  const command = CommandIDs.browseBuckets;
  const tracker = new WidgetTracker<TabWidget>({ namespace: BUCKETS_ID });

  const tab = (): TabWidget => {
    const open = tracker.find(() => true);
    if (open) {
      return open;
    }
    const made = new TabWidget({
      id: BUCKETS_ID,
      label: trans.__('Buckets'),
      icon: bucketIcon,
      context: { model, language, commands },
      content: React.createElement(BucketsTab, { browser }),
      onVisible: visible => {
        browser.visible = visible;
      }
    });
    shell.add(made, 'main');
    void tracker.add(made);
    return made;
  };
  commands.addCommand(command, {
    label: args =>
      args.menu
        ? trans.__('Browse in Buckets')
        : args.isPalette
          ? trans.__('Browse Buckets')
          : trans.__('Browse buckets'),
    caption: trans.__('See, share and change what is in your buckets'),
    icon: args => (args.isPalette || args.menu ? undefined : bucketIcon),
    isVisible: () => model.storage.data?.code !== 'no-storage',
    execute: ({ bucket, prefix, restored }) => {
      const widget = tab();
      if (typeof bucket === 'string' && bucket !== '') {
        browser.open({ bucket, prefix: typeof prefix === 'string' ? prefix : '' });
      } else if (browser.place.bucket === '') {
        browser.open(BUCKETS);
      }
      if (!restored) {
        shell.activateById(widget.id);
      }
    }
  });
  void restorer?.restore(tracker, {
    command,
    args: () => ({ ...browser.place, restored: true }),
    name: () => 'buckets'
  });
  let saved = browser.place;
  browser.changed.connect(() => {
    if (browser.place !== saved) {
      saved = browser.place;
      const open = tracker.find(() => true);
      if (open) {
        void tracker.save(open);
      }
    }
  });

  palette?.addItem({ command, category: trans.__('NaaS'), args: { isPalette: true } });
  if (launcher !== null) {
    offerCard(launcher, model, { command, category: trans.__('Cloud'), rank: 2 });
  }
  tellEnd(browser, language, () => void commands.execute(command));
}

/** A card, once it is known that this server has storage. */
function offerCard(launcher: ILauncher, model: NaasModel, card: ILauncher.IItemOptions): void {
  const look = () => {
    if (model.storage.data !== null) {
      model.changed.disconnect(look);
      if (model.storage.data.code !== 'no-storage') {
        launcher.add(card);
      }
    }
  };
  model.changed.connect(look);
}

/** People who went elsewhere are told when their uploads from this computer are through. */
function tellEnd(browser: BucketBrowser, { trans, tag }: ILanguage, show: () => void): void {
  let running = false;
  browser.changed.connect(() => {
    const { all } = browser.transfers;
    const ended = running && !browser.transfers.running;
    running = browser.transfers.running;
    if (!ended || browser.visible || all.length === 0) {
      return;
    }
    const left = all.filter(({ state }) => state !== 'saved').length;
    const actions = [{ label: trans.__('Show'), callback: show }];
    if (left > 0) {
      const message = trans._n(
        '1 file was not uploaded.',
        '%2 files were not uploaded.',
        left,
        count(left, tag)
      );
      Notification.error(message, { autoClose: false, actions });
    } else {
      const message = trans._n(
        '1 file is uploaded.',
        '%2 files are uploaded.',
        all.length,
        count(all.length, tag)
      );
      Notification.success(message, { autoClose: 5000, actions });
    }
  });
}
