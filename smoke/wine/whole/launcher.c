/* The python.exe of a virtual environment: starts the Python that pyvenv.cfg beside its folder names, as the one of
   python.org's installer does, which the embeddable distribution lacks. The real Python learns from
   __PYVENV_LAUNCHER__ where it was started; a job ends it together with this process. */
#include <windows.h>
#include <stdio.h>
#include <wchar.h>

#define LONGEST 32768
static wchar_t self[LONGEST], place[LONGEST], home[LONGEST], program[LONGEST];
static char text[1 << 16];

static int complain(int code, const wchar_t *what) {
  fwprintf(stderr, L"%ls: %ls\n", self, what);
  return code;
}

/* Put the value of `home = …` into `home`. Return 0 when the file has none. */
static int read_home(const wchar_t *file) {
  DWORD size = 0;
  HANDLE handle = CreateFileW(file, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, 0, OPEN_EXISTING, 0, 0);
  if (handle == INVALID_HANDLE_VALUE) return 0;
  ReadFile(handle, text, sizeof text - 1, &size, 0);
  CloseHandle(handle);
  for (char *line = strtok(text, "\r\n"); line; line = strtok(0, "\r\n")) {
    char *value = strchr(line, '=');
    if (strncmp(line, "home", 4) != 0 || !value) continue;
    value += 1 + strspn(value + 1, " ");
    return MultiByteToWideChar(CP_UTF8, 0, value, -1, home, LONGEST);
  }
  return 0;
}

int wmain(void) {
  STARTUPINFOW startup;
  PROCESS_INFORMATION process;
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
  DWORD code = 1;

  GetModuleFileNameW(0, self, LONGEST);
  const wchar_t *name = wcsrchr(self, L'\\') + 1;
  wcscpy(place, self);
  *wcsrchr(place, L'\\') = 0;
  *wcsrchr(place, L'\\') = 0;
  wcscat(place, L"\\pyvenv.cfg");
  if (!read_home(place)) return complain(106, L"no pyvenv.cfg with a home");
  swprintf(program, LONGEST, L"%ls\\%ls", home, name);
  SetEnvironmentVariableW(L"__PYVENV_LAUNCHER__", self);

  HANDLE job = CreateJobObjectW(0, 0);
  limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
  SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
  GetStartupInfoW(&startup);
  if (!CreateProcessW(program, GetCommandLineW(), 0, 0, TRUE, CREATE_SUSPENDED, 0, 0, &startup, &process))
    return complain(101, L"the Python that pyvenv.cfg names cannot be started");
  AssignProcessToJobObject(job, process.hProcess);
  ResumeThread(process.hThread);
  CloseHandle(process.hThread);
  WaitForSingleObject(process.hProcess, INFINITE);
  GetExitCodeProcess(process.hProcess, &code);
  return (int)code;
}
