"""Run untrusted code shut tight: a spec in, a result out; how it works is in docs/sandbox.md."""
