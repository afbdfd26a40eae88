/* Stands for Visual Studio's vswhere.exe: says where the one is that has the asked-for compiler. */
#include <stdio.h>
#include <wchar.h>

int wmain(int count, wchar_t **words) {
  for (int i = 1; i + 1 < count; i++)
    if (!wcscmp(words[i], L"-requires") && wcsstr(words[i + 1], L"Microsoft.VisualStudio.Component.VC.Tools."))
      puts("C:\\Program Files\\Microsoft Visual Studio\\2022\\Community");
  return 0;
}
