import { LabIcon, ReactWidget } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import React from 'react';

import { ContextProvider, IContext } from '../components/context';

/** A tab of the main area of which there is one. It says when somebody can see it. */
export class TabWidget extends ReactWidget {
  constructor(private readonly tab: TabWidget.IOptions) {
    super();
    this.id = tab.id;
    this.addClass('jp-NaasTab');
    this.title.icon = tab.icon;
    this.title.label = tab.label;
    this.title.closable = true;
    this.node.tabIndex = -1; // takes the focus until there are rows
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', tab.label);
  }

  protected override render(): JSX.Element {
    return <ContextProvider value={this.tab.context}>{this.tab.content}</ContextProvider>;
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.tab.onVisible(true);
    this.update();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.tab.onVisible(this.isVisible);
  }

  protected override onBeforeDetach(message: Message): void {
    this.tab.onVisible(false);
    super.onBeforeDetach(message);
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.tab.onVisible(false);
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    const { node } = this;
    if (!node.contains(document.activeElement)) {
      (node.querySelector<HTMLElement>('[role=row][tabindex="0"]') ?? node).focus();
    }
  }
}

export namespace TabWidget {
  export interface IOptions {
    id: string;
    label: string;
    icon: LabIcon;
    context: IContext;
    content: JSX.Element;
    onVisible(visible: boolean): void;
  }
}
