import React from 'react';

import type { ICheck } from '../../documents';
import { useNaas } from '../context';
import { Dialog } from '../dialog';

/** Ask before a check goes, with all that is known of it. */
export function DeleteCheck({ check, close }: { check: ICheck; close: () => void }): JSX.Element {
  const { language, model } = useNaas();
  const { trans } = language;
  return (
    <Dialog
      title={trans.__('Delete %1?', check.name)}
      keep={trans.__('Keep')}
      onClose={close}
      submit={{ label: trans.__('Delete'), danger: true, work: () => model.checks.remove(check) }}
    >
      <p>
        {trans.__('Its events are deleted with it, and programs that report to its address get an error.')}
      </p>
    </Dialog>
  );
}
