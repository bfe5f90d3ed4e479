/** A key and its value as etcd holds them. */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
}

/** A condition of a transaction: all must hold for it to be carried out. */
export type Compare =
  /** The key was last written at this revision; 0: it does not exist. */
  | { readonly key: string; readonly modRevision: number }
  /** The key was created at this revision; 0: it does not exist. */
  | { readonly key: string; readonly createRevision: number };

/** One operation of a transaction. A transaction may touch a key once only. */
export type Op =
  | { readonly put: string; readonly value: string; readonly lease?: string }
  | { readonly delete: string }
  | { readonly get: string };
