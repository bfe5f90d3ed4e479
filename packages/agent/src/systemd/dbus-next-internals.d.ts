declare module "dbus-next/lib/dbus-buffer.js" {
  /** dbus-next's reader of message bodies; not part of its public face, so its version is pinned exactly. */
  const DBusBuffer: {
    readonly prototype: { read(signature: string): unknown; readSimpleType(type: string): unknown };
  };
  export default DBusBuffer;
}
