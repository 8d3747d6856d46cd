import { CommandRegistry } from '@lumino/commands';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { Menu } from '@lumino/widgets';

export interface IEntry {
  label: string;
  enabled?: boolean;
  execute: () => void;
}

/** One of Lab's commands as an entry. */
export function commandEntry(
  commands: CommandRegistry,
  id: string,
  args: ReadonlyPartialJSONObject = {}
): IEntry {
  const given = { ...args, menu: true };
  return {
    label: commands.label(id, given),
    enabled: commands.isEnabled(id, given),
    execute: () => void commands.execute(id, given)
  };
}

/** Show a menu below an element, which gets the focus back. A null entry is a line. */
export function openMenu(anchor: HTMLElement, entries: readonly (IEntry | null)[]): void {
  const commands = new CommandRegistry();
  const menu = new Menu({ commands });
  entries.forEach((entry, n) => {
    if (entry === null) {
      menu.addItem({ type: 'separator' });
      return;
    }
    const { label, enabled = true, execute } = entry;
    commands.addCommand(String(n), { label, isEnabled: () => enabled, execute });
    menu.addItem({ command: String(n) });
  });
  menu.aboutToClose.connect(() => anchor.focus());
  const { left, bottom } = anchor.getBoundingClientRect();
  menu.open(left, bottom);
}
