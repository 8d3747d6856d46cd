import { searchIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { useNaas } from './context';

/** Milliseconds without a key after which a search begins. */
const SEARCH_PAUSE = 300;

/** `/` leads to the search in an element whose keys are listened to; in a field it is only a letter. */
export function onSearchKey(event: React.KeyboardEvent<HTMLElement>): void {
  const search = event.currentTarget.querySelector<HTMLElement>('input[type=search]');
  if (event.key === '/' && search && !(event.target as HTMLElement).matches('input, select, textarea')) {
    event.preventDefault();
    search.focus();
  }
}

/**
 * Where people type what they look for. Parameters: `place`, with which the text goes; `text`, what is looked for now; `name`, what
 * is looked through, else the folder.
 */
export function Search(props: {
  place: unknown;
  text: string;
  name?: string;
  onSearch: (text: string) => void;
}): JSX.Element {
  const { trans } = useNaas().language;
  const { place, text: search, onSearch, name = trans.__('Search below this folder') } = props;
  const [text, setText] = React.useState(search);
  React.useEffect(() => setText(search), [place, search]);
  React.useEffect(() => {
    if (text === search) {
      return;
    }
    const timer = setTimeout(() => onSearch(text), SEARCH_PAUSE);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <label className="jp-Naas-search">
      <searchIcon.react tag="span" aria-hidden="true" />
      <input
        type="search"
        value={text}
        aria-label={name}
        placeholder={name}
        onChange={event => setText(event.target.value)}
        onKeyDown={event => {
          if (event.key === 'Escape' && text !== '') {
            event.stopPropagation();
            setText('');
          }
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </label>
  );
}
