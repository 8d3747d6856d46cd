import { CommandRegistry } from '@lumino/commands';
import React from 'react';

import type { IFolder } from '../documents';
import type { NaasModel } from '../model';
import type { ILanguage } from '../words';

/** What the parts of the panel share. */
export interface IContext {
  model: NaasModel;
  language: ILanguage;
  commands: CommandRegistry;
  /** Show a folder's menu below an element, which gets the focus back. */
  openFolderMenu(folder: IFolder, anchor: HTMLElement): void;
  /** Show the panel's own menu. */
  openPanelMenu(anchor: HTMLElement): void;
}

const Context = React.createContext<IContext | null>(null);

export const ContextProvider = Context.Provider;

export function useNaas(): IContext {
  const context = React.useContext(Context);
  if (context === null) {
    throw new Error('outside of the panel');
  }
  return context;
}

/** Draw again whenever the model changes. */
export function useChanges(model: NaasModel): void {
  const [, draw] = React.useReducer((n: number) => n + 1, 0);
  React.useEffect(() => {
    model.changed.connect(draw);
    return () => {
      model.changed.disconnect(draw);
    };
  }, [model]);
}

/** The time, each second while somebody can see it. */
export function useNow(visible: boolean): Date {
  const [now, setNow] = React.useState(() => new Date());
  React.useEffect(() => {
    if (!visible) {
      return;
    }
    setNow(new Date());
    const timer = setInterval(() => {
      if (!document.hidden) {
        setNow(new Date());
      }
    }, 1000);
    return () => clearInterval(timer);
  }, [visible]);
  return now;
}
