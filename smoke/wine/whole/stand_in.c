/* A Windows program that stands for the one of the host that it is named after: git.exe, zig-cc.exe. Wine starts the
   host's program for it, but gives a Unix process no pipes and tells nothing of its end, so everything goes through files
   in the profile's folder for temporary ones, where the host's side looks whatever TEMP says: the words (the working
   directory first, each ended by a zero), then the output, the errors and the exit code. */
#include <windows.h>
#include <stdio.h>
#include <wchar.h>

#define LONGEST 32768
#define STARTER L"C:\\stand-ins\\stand-in"
static wchar_t self[LONGEST], folder[LONGEST], name[64], path[LONGEST], line[LONGEST];
static char bytes[4 * LONGEST];

static HANDLE opened(const wchar_t *suffix, DWORD access, DWORD how) {
  swprintf(path, LONGEST, L"%ls%ls%ls", folder, name, suffix);
  return CreateFileW(path, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, 0, how, 0, 0);
}

static void put(HANDLE file, const wchar_t *word) {
  DWORD written;
  int size = WideCharToMultiByte(CP_UTF8, 0, word, -1, bytes, sizeof bytes, 0, 0);
  WriteFile(file, bytes, size, &written, 0);
}

static void copy(const wchar_t *suffix, DWORD target) {
  DWORD size, written;
  HANDLE file = opened(suffix, GENERIC_READ, OPEN_EXISTING);
  if (file == INVALID_HANDLE_VALUE) return;
  while (ReadFile(file, bytes, sizeof bytes, &size, 0) && size) WriteFile(GetStdHandle(target), bytes, size, &written, 0);
  CloseHandle(file);
  DeleteFileW(path);
}

static void ask(int count, wchar_t **words) {
  GetCurrentDirectoryW(LONGEST, line);
  HANDLE file = opened(L"", GENERIC_WRITE, CREATE_ALWAYS);
  put(file, line);
  for (int i = 1; i < count; i++) put(file, words[i]);
  CloseHandle(file);
}

static int answer(void) {
  for (;; Sleep(5)) {
    DWORD size = 0;
    HANDLE file = opened(L".code", GENERIC_READ, OPEN_EXISTING);
    if (file == INVALID_HANDLE_VALUE) continue;
    ReadFile(file, bytes, 15, &size, 0);
    CloseHandle(file);
    bytes[size] = 0;
    int code = atoi(bytes); /* before copying, which takes the same room */
    DeleteFileW(path);
    copy(L".out", STD_OUTPUT_HANDLE);
    copy(L".err", STD_ERROR_HANDLE);
    return code;
  }
}

int wmain(int count, wchar_t **words) {
  STARTUPINFOW startup = {.cb = sizeof startup};
  PROCESS_INFORMATION process;
  GetModuleFileNameW(0, self, LONGEST);
  wchar_t *program = wcsrchr(self, L'\\') + 1;
  *wcsrchr(program, L'.') = 0;
  if (!GetEnvironmentVariableW(L"USERPROFILE", folder, LONGEST)) return 98;
  wcscat(folder, L"\\AppData\\Local\\Temp\\");
  swprintf(name, 64, L"stand-in-%lu-%llu", GetCurrentProcessId(), GetTickCount64());
  ask(count, words);
  swprintf(line, LONGEST, L"stand-in %ls %ls", program, name);
  if (!CreateProcessW(STARTER, line, 0, 0, FALSE, 0, 0, 0, &startup, &process)) {
    fwprintf(stderr, L"the host's program cannot be started: %lu\n", GetLastError());
    return 99;
  }
  return answer();
}
