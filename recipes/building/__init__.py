"""How sources are compiled: the commands, their order, their tools. Imports every wing but the lanes above it."""
