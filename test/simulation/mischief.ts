/** What the plan has in store for a tick: each event happens once, to whoever meets it first. */
import type { Event } from './commands.ts';

export interface Mischief {
  readonly begin: (events: readonly Event[]) => void;
  /** Takes an event of this tick that has not happened yet. */
  readonly take: <K extends Event['kind']>(
    kind: K,
    fits?: (event: Extract<Event, { kind: K }>) => boolean,
  ) => Extract<Event, { kind: K }> | undefined;
  /** Counts that it happened; how it does. */
  readonly note: <H extends string>(
    event: { readonly kind: string; readonly how: H } | undefined,
  ) => H | undefined;
  readonly happened: (kind: string) => void;
  /** Larger bodies are refused throughout the tick. */
  readonly limit: () => number;
  /** Lets each event be looked at once; `true` takes it. */
  readonly each: (look: (event: Event) => boolean) => void;
}

export function createMischief(happened: (kind: string) => void): Mischief {
  let events: Event[] = [];
  return {
    begin: (planned) => {
      events = [...planned];
    },
    take: <K extends Event['kind']>(
      kind: K,
      fits: (event: Extract<Event, { kind: K }>) => boolean = () => true,
    ) => {
      type Wanted = Extract<Event, { kind: K }>;
      const i = events.findIndex((one) => one.kind === kind && fits(one as Wanted));
      return i < 0 ? undefined : (events.splice(i, 1)[0] as Wanted);
    },
    note: (event) => {
      if (event !== undefined) happened(`${event.kind} ${event.how}`);
      return event?.how;
    },
    happened,
    limit: () => events.find((event) => event.kind === 'limit')?.points ?? Infinity,
    each: (look) => {
      events = events.filter((event) => !look(event));
    },
  };
}
