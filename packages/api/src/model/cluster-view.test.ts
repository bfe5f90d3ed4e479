import { ClusterState, Keys } from "@fleet/domain/cluster";
import { hashText } from "@fleet/domain/unit";
import { expect, it } from "vitest";
import { ClusterView } from "./cluster-view.ts";

const keys = new Keys("/f/");
const TEXT = "[Service]\nExecStart=/bin/a\n";
const HASH = hashText(TEXT);
const put = (state: ClusterState, key: string, value: string, revision: number) =>
  state.put({ key, value, createRevision: revision, modRevision: revision });

it("a unit of which the file is not here is completed from etcd, once", async () => {
  const state = new ClusterState(keys);
  const view = new ClusterView(state);
  const change = put(state, keys.unit("a.service"), JSON.stringify({ hash: HASH, desiredState: "launched" }), 5);
  view.apply(change === null ? [] : [change]);
  expect(view.isLacking).toBe(true);
  expect(view.unit("a.service")).toContain('"options":[]');
  const asked: (readonly string[])[] = [];
  await view.complete(async (hashes) => {
    asked.push(hashes);
    return new Map([[HASH, TEXT]]);
  });
  expect([view.isLacking, asked]).toEqual([false, [[HASH]]]);
  expect(view.unit("a.service")).toContain('"value":"/bin/a"');
  expect(view.units(0, 10).items).toHaveLength(1);
});

it("states are told page by page, each once, however many pages there are", () => {
  const state = new ClusterState(keys);
  const said = '{"hash":"h","current":"loaded","load":"loaded","active":"active","sub":"running"}';
  const count = 10_050; // more than there are places to be remembered
  for (let index = 0; index < count; index++) put(state, keys.state("m1", `u${index}.service`), said, 1);
  const view = new ClusterView(state);
  const found = new Set<string>();
  for (let start = 0; start < count; start++) {
    const { items, more } = view.states(null, null, start, 1);
    found.add((JSON.parse(items[0] ?? "{}") as { name: string }).name);
    if (more !== start + 1 < count) throw new Error(`page ${start} is wrong about the next one`);
  }
  expect(found.size).toBe(count);
});

it("a unit of which nobody has the file is shown without options, and asked for no more", async () => {
  const state = new ClusterState(keys);
  put(state, keys.unit("a.service"), JSON.stringify({ hash: HASH, desiredState: "launched" }), 5);
  const view = new ClusterView(state);
  await view.complete(async () => new Map());
  expect([view.isLacking, view.unit("a.service")?.includes('"options":[]')]).toEqual([false, true]);
});
