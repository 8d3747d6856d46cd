/**
 * Reading server-sent events from a fetch. `EventSource` cannot send the XSRF header that a server behind the hub wants.
 */

export interface IFrame {
  id: string;
  data: string;
}

/** Characters of one event; more means that something else than our server answers. */
const LONGEST = 512 * 1024;

export class FrameReader {
  /** The events that a piece of the stream completes. Throws when an event has no end. */
  push(piece: string): IFrame[] {
    const frames: IFrame[] = [];
    const lines = (this.rest + piece).split(/\r\n|\n/);
    this.rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (this.data.length > 0) {
          frames.push({ id: this.id, data: this.data.join('\n') });
        }
        this.data = [];
        this.held = 0;
      } else if (line.startsWith('data:')) {
        this.data.push(line.slice(5).replace(/^ /, ''));
        this.held += line.length;
      } else if (line.startsWith('id:')) {
        this.id = line.slice(3).trim();
      }
    }
    if (this.held + this.rest.length > LONGEST) {
      throw new Error('event too long');
    }
    return frames;
  }

  private rest = '';
  private id = '';
  private data: string[] = [];
  private held = 0;
}
