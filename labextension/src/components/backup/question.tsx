import { ReactWidget } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';
import React from 'react';

import { ContextProvider, IContext } from '../context';

/** Ask from anywhere in Lab, with the panel closed too. Parameters: `draw`, makes the dialog, which calls `close`. */
export function ask(context: IContext, draw: (close: () => void) => JSX.Element): void {
  const widget = ReactWidget.create(
    <ContextProvider value={context}>
      <div className="jp-Naas">{draw(() => widget.dispose())}</div>
    </ContextProvider>
  );
  widget.addClass('jp-Naas-question');
  Widget.attach(widget, document.body);
}
