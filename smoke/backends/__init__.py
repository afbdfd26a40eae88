"""What can be proven, in which variants, on this machine or not. Imports exports, wine and all below; runs nothing."""
