"""Single operators on a GPU's provider against the CPU provider: which are wrong, by how much, from which size on."""
