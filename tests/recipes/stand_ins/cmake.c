/* Stands for CMake's Visual Studio generator, which needs MSBuild: has the real cmake.exe of the same environment generate
   for Ninja, which also builds several configurations in one folder; the toolchain file says for which processor. */
#include <windows.h>
#include <stdio.h>
#include <wchar.h>

#define LONGEST 32768
static wchar_t program[LONGEST], line[LONGEST];

static void replace(const wchar_t *old, const wchar_t *with) {
  wchar_t *found = wcsstr(line, old);
  if (!found) return;
  size_t shorter = wcslen(old) - wcslen(with);
  wmemmove(found, found + shorter, wcslen(found + shorter) + 1);
  wmemcpy(found, with, wcslen(with));
}

int wmain(void) {
  STARTUPINFOW startup;
  PROCESS_INFORMATION process;
  DWORD code = 98;
  GetModuleFileNameW(0, program, LONGEST);
  wcscpy(wcsrchr(program, L'\\'), L"\\..\\Lib\\site-packages\\cmake\\data\\bin\\cmake.exe");
  wcscpy(line, GetCommandLineW());
  replace(L"\"Visual Studio 17 2022\"", L"\"Ninja Multi-Config\"");
  replace(L" -A ARM64", L"");
  GetStartupInfoW(&startup);
  if (!CreateProcessW(program, line, 0, 0, TRUE, 0, 0, 0, &startup, &process)) {
    fwprintf(stderr, L"%ls cannot be started: %lu\n", program, GetLastError());
    return 99;
  }
  WaitForSingleObject(process.hProcess, INFINITE);
  GetExitCodeProcess(process.hProcess, &code);
  return (int)code;
}
