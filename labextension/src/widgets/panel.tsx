import { ReactWidget } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import { Message } from '@lumino/messaging';
import React from 'react';

import { ContextProvider } from '../components/context';
import { IOpen, Panel } from '../components/panel';
import { cloudIcon } from '../icons';
import { NaasModel } from '../model';
import { summary } from '../summary';
import { PANEL_ID } from '../tokens';
import type { ILanguage } from '../words';

const BADGE = 'jp-mod-naasBadge';

/** The panel in the sidebar. Its icon has a badge only while the panel is hidden and something is bad. */
export class NaasPanel extends ReactWidget {
  constructor(private readonly options: NaasPanel.IOptions) {
    super();
    this.id = PANEL_ID;
    this.addClass('jp-NaasPanel');
    this.title.icon = cloudIcon;
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', options.language.trans.__('NaaS'));
    options.model.changed.connect(this.updateBadge, this);
    this.updateBadge();
  }

  /** Open a part, as a command or a saved state asks. */
  setOpen(open: Partial<IOpen>): void {
    this.open = { ...this.open, ...open };
    this.options.onOpen(this.open);
    this.update();
  }

  /** Put the focus where it was last, or on the first section. */
  focusInside(): void {
    const last = this.lastFocus?.isConnected ? this.lastFocus : null;
    (last ?? this.node.querySelector<HTMLElement>('.jp-Naas-toggle'))?.focus();
  }

  handleEvent(event: Event): void {
    if (event.type === 'focusin') {
      this.lastFocus = event.target as HTMLElement;
    } else if (event.type === 'keydown' && (event as KeyboardEvent).key === 'Escape') {
      this.options.leave();
    }
  }

  protected override render(): JSX.Element {
    return (
      <ContextProvider value={this.options}>
        <Panel open={this.open} onOpen={open => this.setOpen(open)} />
      </ContextProvider>
    );
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.node.addEventListener('focusin', this);
    this.node.addEventListener('keydown', this);
    this.options.model.panelVisible = this.isVisible;
  }

  protected override onBeforeDetach(message: Message): void {
    this.node.removeEventListener('focusin', this);
    this.node.removeEventListener('keydown', this);
    super.onBeforeDetach(message);
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.options.model.panelVisible = true;
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.options.model.panelVisible = false;
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.focusInside();
  }

  private updateBadge(): void {
    const { model, language } = this.options;
    const status = model.storage.data;
    const state = status && summary(status, language);
    const badge = !this.isVisible && state?.look === 'bad';
    this.title.className = badge ? BADGE : '';
    this.title.caption = badge
      ? language.trans.__('NaaS: %1', state.text)
      : language.trans.__('NaaS: storage and services');
  }

  private open: IOpen = { storage: true, checks: false, services: false };
  private lastFocus: HTMLElement | null = null;
}

export namespace NaasPanel {
  export interface IOptions {
    model: NaasModel;
    language: ILanguage;
    commands: CommandRegistry;
    /** Called with what is open, to be kept. */
    onOpen(open: IOpen): void;
    /** Go back to the notebook. */
    leave(): void;
  }
}
