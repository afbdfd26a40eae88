"""Single operators on DirectML against the CPU provider: which are wrong, by how much, from which size on."""
