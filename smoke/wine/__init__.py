"""Real DirectML on Linux without a GPU: Debian, Wine, software Vulkan, a Windows Python. See docs/wine.md."""
