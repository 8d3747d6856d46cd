import { CommandRegistry } from '@lumino/commands';
import { ISignal } from '@lumino/signaling';
import React from 'react';

import type { NaasModel } from '../model';
import type { ILanguage } from '../words';

/** What our components share. */
export interface IContext {
  model: NaasModel;
  language: ILanguage;
  commands: CommandRegistry;
}

const Context = React.createContext<IContext | null>(null);

export const ContextProvider = Context.Provider;

export function useNaas(): IContext {
  const context = React.useContext(Context);
  if (context === null) {
    throw new Error('outside of our widgets');
  }
  return context;
}

/** Draw again whenever a model changes. */
export function useChanges<T>(model: { changed: ISignal<T, void> }): void {
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
