/** The version of this fleet, `X.Y.Z`; a test keeps it equal to package.json's. */
export const VERSION = "2.0.0";
