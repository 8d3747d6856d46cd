import { LabIcon } from '@jupyterlab/ui-components';
import React from 'react';

import type { Look } from './states';

const LINE = 'stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"';

/** The sidebar's icon takes its colour from Lab's activity bar, hence the class. */
export const cloudIcon = new LabIcon({
  name: 'jupyterlab-naas:cloud',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16" fill="none"><path class="jp-icon3 jp-icon-selectable" stroke="#616161" ${LINE} d="M4.6 12.5a3.1 3.1 0 0 1-.3-6.2 4 4 0 0 1 7.7.7 2.8 2.8 0 0 1-.4 5.5z"/></svg>`
});

/** The tab of the drive, on machines that cannot mount folders. */
export const bucketIcon = new LabIcon({
  name: 'jupyterlab-naas:bucket',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16" fill="none"><path class="jp-icon3 jp-icon-selectable" stroke="#616161" ${LINE} d="M2.5 4.2c0-1.2 2.4-2.2 5.5-2.2s5.5 1 5.5 2.2-2.4 2.3-5.5 2.3-5.5-1-5.5-2.3zl1.2 8c.2 1 2 1.8 4.3 1.8s4.1-.8 4.3-1.8l1.2-8"/></svg>`
});

/** Healthchecks, in the launcher and on the tab. */
export const checkIcon = new LabIcon({
  name: 'jupyterlab-naas:check',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16" fill="none"><path class="jp-icon3 jp-icon-selectable" stroke="#616161" ${LINE} d="M1.5 8.5h3l2-5.5 3 10 2-4.5h3"/></svg>`
});

const FILLED: Partial<Record<Look, string>> = {
  ok: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13m3.3 4.9-3.9 4.2a.8.8 0 0 1-1.1 0L4.6 8.9l1.1-1.1 1.2 1.2 3.3-3.6z',
  warn: 'M8.9 2.1a1 1 0 0 0-1.8 0L1.2 13a1 1 0 0 0 .9 1.5h11.8a1 1 0 0 0 .9-1.5zM7.25 6h1.5v4.2h-1.5zM8 11.2a.9.9 0 1 1 0 1.8.9.9 0 0 1 0-1.8',
  bad: 'M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3l-3.8-3.8V5.3zm.8 3.5L5 6.1 6.9 8 5 9.9 6.1 11 8 9.1 9.9 11 11 9.9 9.1 8 11 6.1 9.9 5 8 6.9z'
};

const OUTLINED: Partial<Record<Look | 'key' | 'start', string>> = {
  busy: 'M8 2a6 6 0 1 1-5.2 3M2.6 2v3h3',
  off: 'M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2M5.5 8h5',
  waiting: 'M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2',
  unknown:
    'M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2M6.3 6.4a1.75 1.75 0 1 1 2.4 1.7c-.5.2-.7.5-.7 1M8 11.4v.1',
  start: 'M5 3.2v9.6L12.5 8z',
  key: 'M5.2 8a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6m2 .8 5.6-5.6M10.6 5.4l1.8 1.8'
};

/** A state by shape and colour; the word stands beside it, so readers skip the icon. */
export function StateIcon({ look }: { look: Look | 'key' | 'start' }): JSX.Element {
  const filled = FILLED[look as Look];
  return (
    <svg className={`jp-Naas-icon jp-mod-${look}`} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      {filled ? (
        <path d={filled} fill="currentColor" fillRule="evenodd" />
      ) : (
        <path
          d={OUTLINED[look]}
          fill="none"
          stroke="currentColor"
          strokeWidth="1.5"
          strokeLinecap="round"
          strokeLinejoin="round"
          strokeDasharray={look === 'waiting' ? '2.2 2.5' : undefined}
        />
      )}
    </svg>
  );
}
