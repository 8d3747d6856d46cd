import React from 'react';

import type { BucketBrowser } from '../../buckets/browser';

/** Draws a dialog; it calls `close` when it is done. */
export type Ask = (draw: (close: () => void) => JSX.Element) => void;

/** What the parts of the Buckets tab share. */
export interface IBucketsContext {
  browser: BucketBrowser;
  ask: Ask;
}

const Context = React.createContext<IBucketsContext | null>(null);

export const BucketsProvider = Context.Provider;

export function useBuckets(): IBucketsContext {
  const context = React.useContext(Context);
  if (context === null) {
    throw new Error('outside of the Buckets tab');
  }
  return context;
}
