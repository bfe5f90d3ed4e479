import type { Metadata } from "@fleet/config";
import type { Requirements } from "../unit/requirements.ts";
import { MachineOrder } from "./machine-order.ts";

/** Machines by what units ask for: an ID or its short form, metadata, and little load. */
export class MachineIndex {
  /** All machines, the least loaded first. */
  readonly order = new MachineOrder();
  readonly #byShortID = new Map<string, Set<string>>();
  /** Machines by `key=value`, each in the order in which they are tried. */
  readonly #byMetadata = new Map<string, MachineOrder>();

  /** A machine is there, or carries something else. */
  set(id: string, metadata: Metadata, load: number): void {
    if (this.order.load(id) === undefined) this.#name(id);
    this.order.set(id, load);
    for (const pair of Object.entries(metadata)) {
      const name = pair.join("=");
      let order = this.#byMetadata.get(name);
      if (order === undefined) {
        order = new MachineOrder();
        this.#byMetadata.set(name, order);
      }
      order.set(id, load);
    }
  }

  /** A machine is gone, or is about to have other metadata than it was set with. */
  delete(id: string, metadata: Metadata): void {
    this.order.delete(id);
    const ids = this.#byShortID.get(id.slice(0, 8));
    ids?.delete(id);
    if (ids?.size === 0) this.#byShortID.delete(id.slice(0, 8));
    for (const pair of Object.entries(metadata)) {
      const name = pair.join("=");
      this.#byMetadata.get(name)?.delete(id);
      if (this.#byMetadata.get(name)?.size === 0) this.#byMetadata.delete(name);
    }
  }

  /** The machine of an ID, or those of a short one, in the order in which they are tried. */
  named(id: string): readonly string[] {
    return this.order.load(id) === undefined ? this.order.sorted(this.#byShortID.get(id) ?? []) : [id];
  }

  #name(id: string): void {
    const ids = this.#byShortID.get(id.slice(0, 8));
    if (ids === undefined) this.#byShortID.set(id.slice(0, 8), new Set([id]));
    else ids.add(id);
  }

  /** The machines to try, in order: those with the rarest metadata that is asked for, or all. */
  candidates(metadata: Requirements["metadata"]): MachineOrder | readonly string[] {
    let rarest: { readonly orders: readonly MachineOrder[]; readonly size: number } | null = null;
    for (const { key, values } of metadata) {
      const orders = values.flatMap((value) => this.#byMetadata.get(`${key}=${value}`) ?? []);
      const size = orders.reduce((sum, order) => sum + order.size, 0);
      if (rarest === null || size < rarest.size) rarest = { orders, size };
    }
    if (rarest === null) return this.order;
    const [only, ...others] = rarest.orders;
    if (only === undefined) return [];
    if (others.length === 0) return only;
    return rarest.size * 4 < this.order.size
      ? this.order.sorted(rarest.orders.flatMap((order) => [...order]))
      : this.order;
  }
}
