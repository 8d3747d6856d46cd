import { ReactWidget } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import { Message } from '@lumino/messaging';
import React from 'react';

import { BucketBrowser } from '../buckets/browser';
import { BucketsTab } from '../components/buckets/tab';
import { ContextProvider } from '../components/context';
import { bucketIcon } from '../icons';
import { NaasModel } from '../model';
import { BUCKETS_ID } from '../tokens';
import type { ILanguage } from '../words';

/** The tab that shows what is in the store. There is one. */
export class BucketsWidget extends ReactWidget {
  constructor(private readonly options: BucketsWidget.IOptions) {
    super();
    this.id = BUCKETS_ID;
    this.addClass('jp-NaasBuckets');
    this.title.icon = bucketIcon;
    this.title.label = options.language.trans.__('Buckets');
    this.title.closable = true;
    this.node.tabIndex = -1; // takes the focus until there are rows
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', this.title.label);
  }

  protected override render(): JSX.Element {
    return (
      <ContextProvider value={this.options}>
        <BucketsTab browser={this.options.browser} />
      </ContextProvider>
    );
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.options.browser.visible = true;
    this.update();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.options.browser.visible = this.isVisible;
  }

  protected override onBeforeDetach(message: Message): void {
    this.options.browser.visible = false;
    super.onBeforeDetach(message);
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.options.browser.visible = false;
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    const { node } = this;
    if (!node.contains(document.activeElement)) {
      (node.querySelector<HTMLElement>('[role=row][tabindex="0"]') ?? node).focus();
    }
  }
}

export namespace BucketsWidget {
  export interface IOptions {
    browser: BucketBrowser;
    model: NaasModel;
    language: ILanguage;
    commands: CommandRegistry;
  }
}
