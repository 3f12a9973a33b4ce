internal import GuestLayouts

/// A guest's file that is written somewhere else.
struct RestoredFile {
  let walked: WalkedFile
  let attributes: [ExtendedAttribute]

  var file: GuestFile { walked.file }
  var name: [UInt8] { walked.name }
  var path: [UInt8] { walked.path }
}

/// Where files go: a folder, an archive.
///
/// What is thrown concerns one file; `ReadTrouble` when it could not be read, `TargetLoss` when
/// nothing more can be written.
protocol FileTarget: AnyObject {
  /// Begins with a file or folder of a folder, which is made where it is not there.
  ///
  /// - Parameter firstMayExist: Whether the first that comes may be a folder that is there.
  func begin(in folder: [[UInt8]], firstMayExist: Bool) throws
  /// Makes a folder; all that follows goes into it until it is left.
  func enterFolder(_ folder: RestoredFile) throws
  func leaveFolder(_ folder: RestoredFile) throws
  func addFile(_ file: RestoredFile, _ content: FileContent) throws
  func addLink(_ link: RestoredFile, to target: [UInt8]) throws
  /// Adds another name of a file that came before.
  ///
  /// - Returns: False when it cannot be, and has to be a file of its own.
  func addHardLink(_ file: RestoredFile, to path: [UInt8]) throws -> Bool
  /// Adds a device, a fifo or a socket.
  ///
  /// - Returns: False when it is left out.
  func addSpecial(_ file: RestoredFile) throws -> Bool
}

/// Nothing more can be written.
struct TargetLoss: Error {
  let reason: any Error
}
