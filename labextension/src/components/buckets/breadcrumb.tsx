import React from 'react';

import { BUCKETS, shown, steps } from '../../buckets/keys';
import { useNaas } from '../context';
import { useBuckets } from './context';

/** Steps shown at the end of a long way; those before are one `…`. */
const LAST = 2;

/** The way to where one is; each step but the last one goes there. */
export function Breadcrumb(): JSX.Element {
  const { trans } = useNaas().language;
  const { browser } = useBuckets();
  const { bucket, prefix } = browser.place;
  const way = [
    { name: trans.__('Buckets'), place: BUCKETS },
    ...(bucket ? [{ name: bucket, place: { bucket, prefix: '' } }] : []),
    ...steps(prefix).map(step => ({ name: shown(step.name, trans), place: { bucket, prefix: step.prefix } }))
  ];
  const hidden = Math.max(0, way.length - 2 - LAST);
  return (
    <nav aria-label={trans.__('Place')} className="jp-Naas-way">
      <ol>
        {way.map(({ name, place }, n) => {
          if (hidden > 1 && n >= 2 && n < 2 + hidden) {
            return n === 1 + hidden ? (
              <li key="…">
                <button type="button" title={name} onClick={() => browser.open(place)}>
                  …
                </button>
              </li>
            ) : null;
          }
          return (
            <li key={n}>
              {n === way.length - 1 ? (
                <h1 aria-current="page" title={name}>
                  <bdi>{name}</bdi>
                </h1>
              ) : (
                <button type="button" title={name} onClick={() => browser.open(place)}>
                  <bdi>{name}</bdi>
                </button>
              )}
            </li>
          );
        })}
      </ol>
    </nav>
  );
}
