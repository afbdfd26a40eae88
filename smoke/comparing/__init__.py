"""Who agrees across machines, drivers and versions? Dumps that are files are judged; no model is needed."""
