"""Tools for developers: the dev server, the toolchain, the demo. Never frozen in."""
