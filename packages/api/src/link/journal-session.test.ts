import { setTimeout as sleep } from "node:timers/promises";
import { ClusterState, encodeMachine, encodeState, encodeUnit, Keys } from "@fleet/domain/cluster";
import type { Answer, JournalQuestion } from "@fleet/link";
import { describe, expect, it, vi } from "vitest";
import type { JournalItem } from "./journal-reader.ts";
import { JournalSession } from "./journal-session.ts";

const keys = new Keys("/f/");
const UNIT = "a.service";

/** A cluster of one machine, on which a unit runs. */
function cluster(): ClusterState {
  const state = new ClusterState(keys);
  let revision = 0;
  const put = (key: string, value: string): void => {
    revision++;
    state.put({ key, value, createRevision: revision, modRevision: revision });
  };
  const machine = { primaryIP: "", metadata: {}, version: "2.0.0", capabilities: [], instanceID: "i" };
  put(keys.machine("m1"), encodeMachine({ id: "m1", ...machine }));
  const whereabouts = { kind: "placed", on: "m1" } as const;
  put(keys.unit(UNIT), encodeUnit({ hash: "h", desiredState: "launched", global: false, whereabouts, cause: null }));
  const systemd = { load: "loaded", active: "active", sub: "running" };
  put(keys.state("m1", UNIT), encodeState({ hash: "h", current: "launched", systemd, error: null }));
  return state;
}

/** An entry as journalctl prints it. */
const line = (number: number): Uint8Array =>
  Buffer.from(
    `${JSON.stringify({
      __CURSOR: `s=a;i=${number.toString(16)};b=b;m=1;t=${number.toString(16)};x=1`,
      __REALTIME_TIMESTAMP: String(1_700_000_000_000_000 + number),
      _SYSTEMD_UNIT: UNIT,
      MESSAGE: `entry ${number}`,
    })}\n`,
  );

describe("a journal that is followed", () => {
  it("has the past, then what comes, each once", async () => {
    const asked: JournalQuestion[] = [];
    const over = new AbortController();
    const ask = async function* (
      _machine: string,
      question: { readonly journal?: JournalQuestion },
    ): AsyncGenerator<Answer> {
      const { journal = { units: [] } } = question;
      asked.push(journal);
      yield { journal: { json: new Uint8Array() } };
      if (journal.follow !== true) {
        yield { journal: { json: Buffer.concat([line(1), line(2)]) } };
        return;
      }
      for (let number = 2; number < 6; number++) {
        await sleep(5);
        yield { journal: { json: line(number) } };
      }
      await new Promise<void>((resolve) => over.signal.addEventListener("abort", () => resolve()));
    };
    const items: JournalItem[] = [];
    const session = new JournalSession({
      state: cluster(),
      asker: { ask: (machine, question) => ask(machine, question) },
      query: {
        ...{ units: [UNIT], machines: new Set<string>(), lines: 3, filters: {}, follow: true },
        ...{ after: new Map<string, string>(), allFields: false },
      },
      reader: {
        write: async (written) => {
          items.push(...written);
        },
      },
      signal: over.signal,
    });
    const running = session.run();
    const messages = (): readonly string[] => items.flatMap((item) => ("entry" in item ? [item.entry.message] : []));
    await vi.waitFor(() => expect(messages()).toEqual([1, 2, 3, 4, 5].map((number) => `entry ${number}`)));
    expect(asked.map(({ follow = false, lines, after }) => [follow, lines, after])).toEqual([
      [false, 3, undefined],
      [true, undefined, "s=a;i=2;b=b;m=1;t=2;x=1"],
    ]);
    over.abort();
    await running;
  });
});
