import { ReactWidget } from '@jupyterlab/ui-components';
import React from 'react';

import { useChanges } from '../components/context';
import { StateIcon } from '../icons';
import { NaasModel } from '../model';
import { ISummary, summary } from '../summary';
import type { ILanguage } from '../words';

/** What the status bar says; null when this server has no storage, or nothing is known yet. */
export function statusOf(model: NaasModel, language: ILanguage): ISummary | null {
  const view = model.storage.view(model.storageInterval);
  if (view.kind !== 'data') {
    return null;
  }
  const current = summary(view.data, language);
  return current && view.stale
    ? { look: 'unknown', text: language.trans.__('Storage: not known now') }
    : current;
}

function Item(props: { model: NaasModel; language: ILanguage; onClick: () => void }): JSX.Element | null {
  const { model, language, onClick } = props;
  useChanges(model);
  const state = statusOf(model, language);
  if (state === null) {
    return null;
  }
  return (
    <button
      type="button"
      className="jp-Naas-statusItem"
      title={language.trans.__('Show storage')}
      data-look={state.look}
      onClick={onClick}
    >
      <StateIcon look={state.look} />
      <span className={`jp-mod-${state.look}`}>{state.text}</span>
    </button>
  );
}

/** The item in the status bar: the most serious thing to know about one's files. */
export class StatusItem extends ReactWidget {
  constructor(
    private readonly model: NaasModel,
    private readonly language: ILanguage,
    private readonly onClick: () => void
  ) {
    super();
    this.id = 'jp-naas-status';
  }

  protected override render(): JSX.Element {
    return <Item model={this.model} language={this.language} onClick={this.onClick} />;
  }
}
