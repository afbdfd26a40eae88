"""How a process is typed, held, ended and told of; `process.run` puts it together. Imports nothing of the rest."""
