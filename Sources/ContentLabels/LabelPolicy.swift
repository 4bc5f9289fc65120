import PNG

/// Which labels generated content carries.
package struct LabelPolicy: Sendable {
    package struct Pictures: Sendable {
        /// Implicit metadata of GB 45438-2025; nil for none.
        package var metadata: AIGCMetadata?
        package var parameters = GenerationParameters.off
        /// Who signs C2PA manifests; nil for none.
        package var credentials: ContentCredentials?
        /// Whether the visible mark is drawn into pictures.
        package var isMarked = false
    }

    package struct Text: Sendable {
        /// nil for none.
        package var notice: TextNotice?
        package var watermark: Watermark?
    }

    package var pictures = Pictures()
    package var text = Text()

    package init() {}

    /// No labels at all.
    package static let off = LabelPolicy()

    /// What an operator who chose nothing gets: metadata that says no more than that a picture was generated, and where.
    package static let standard: LabelPolicy = {
        var policy = LabelPolicy()
        policy.pictures.metadata = .standard
        return policy
    }()
}

extension LabelPolicy.Pictures {
    /// Whether pictures stay as they are.
    package var isEmpty: Bool { metadata == nil && parameters == .off && credentials == nil && !isMarked }

    /// A PNG file with its labels: the mark in its pixels, then text chunks, then the signature over all of that.
    ///
    /// - Throws: `LabelError` for a file that is no PNG, or when no signature can be made: then nothing may go out.
    package func labelled(_ file: [UInt8], _ origin: PictureOrigin) throws(LabelError) -> [UInt8] {
        if isEmpty { return file }
        do {
            var file = isMarked ? try Self.marked(file) : file
            let texts = [metadata?.chunk(id: origin.id), parameters.chunk(of: origin)].compactMap(\.self)
            file = try PNG.inserting(texts, into: file)
            // An expired certificate's signature would make readers call the picture forged.
            if let fault = credentials?.fault(), credentials?.isWithheldWhenExpired == true {
                throw LabelError(.invalidCredentials, fault)
            }
            if let credentials, credentials.fault() == nil {
                file = try PNG.inserting([try credentials.chunk(for: file, model: origin.model)], into: file)
            }
            return file
        } catch let error as LabelError {
            throw error
        } catch {
            throw LabelError(.invalidPicture, "no label could be put into the picture: \(error)")
        }
    }

    private static func marked(_ file: [UInt8]) throws -> [UInt8] {
        var (rgba, width, height) = try PNG.decode(file)
        PictureMark.draw(on: &rgba, width: width, height: height)
        return try PNG.encode(rgba: rgba, width: width, height: height)
    }
}
