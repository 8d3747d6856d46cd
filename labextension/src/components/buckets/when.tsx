import React from 'react';

import { Age } from '../basics';

/** When something was changed; a dash when the store does not say. */
export function When({ at, now }: { at: string | null; now: Date }): JSX.Element {
  return at === null ? <>–</> : <Age at={new Date(at)} now={now} />;
}
