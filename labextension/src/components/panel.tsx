import { ellipsesIcon, refreshIcon, usersIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { commandEntry, openMenu } from '../menu';
import { CommandIDs } from '../tokens';
import { IconButton } from './basics';
import { Checks } from './checks/section';
import { useChanges, useNaas, useNow } from './context';
import { Services } from './services';
import { Storage } from './storage';

/** Which parts are open; restored with the workspace. */
export interface IOpen {
  storage: boolean;
  checks: boolean;
  services: boolean;
}

function Header(): JSX.Element {
  const { language, model, commands } = useNaas();
  const { trans } = language;
  const me = model.me.data;
  return (
    <div className="jp-Naas-header">
      <span className="jp-Naas-who" title={me ? me.groups.join(', ') : undefined}>
        <usersIcon.react tag="span" aria-hidden="true" />
        <span className="jp-Naas-whoName">{me?.name ?? trans.__('NaaS')}</span>
        {me && me.groups.length > 0 ? (
          <span className="jp-Naas-whoGroups jp-Naas-wide">{me.groups.join(', ')}</span>
        ) : null}
      </span>
      <IconButton icon={refreshIcon} name={trans.__('Refresh all')} onClick={() => void model.refresh()} />
      <IconButton
        icon={ellipsesIcon}
        name={trans.__('More')}
        onClick={event =>
          openMenu(
            event.currentTarget,
            [CommandIDs.browseBuckets, CommandIDs.insertCode, CommandIDs.showStatus, CommandIDs.about].map(
              id => commandEntry(commands, id)
            )
          )
        }
      />
    </div>
  );
}

export function Panel(props: { open: IOpen; onOpen: (open: IOpen) => void }): JSX.Element {
  const { model } = useNaas();
  const { open, onOpen } = props;
  useChanges(model);
  const now = useNow(model.panelVisible);
  return (
    <div className="jp-Naas">
      <Header />
      <Storage open={open.storage} onToggle={() => onOpen({ ...open, storage: !open.storage })} now={now} />
      <Checks open={open.checks} onToggle={() => onOpen({ ...open, checks: !open.checks })} now={now} />
      <div className="jp-Naas-fill" />
      <Services
        open={open.services}
        onToggle={() => onOpen({ ...open, services: !open.services })}
        now={now}
      />
    </div>
  );
}
