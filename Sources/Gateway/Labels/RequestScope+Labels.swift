import ContentLabels
import Foundation
import Logging
import Messages
import RPC

/// The words of a notice around one request's answers; either may be empty.
struct AnswerNotice: Sendable {
    var opening: String
    var closing: String
}

extension RequestScope {
    /// In the language of the request.
    var notice: AnswerNotice? {
        labels.text.notice.map {
            AnswerNotice(
                opening: $0.opening(inChinese: speaksChinese), closing: $0.closing(inChinese: speaksChinese))
        }
    }

    /// What text-models mark their choice of tokens by.
    var greenList: Wire.GreenList? {
        labels.text.watermark?.keys.first.map { key in
            Wire.GreenList(
                key: key.list.key, share: UInt32(key.list.share), delta: key.list.delta,
                contextWidth: UInt32(key.list.contextWidth))
        }
    }

    /// - Parameter prompt: the user's own, as the filter let it pass; never a preset's text.
    func pictureLabeller(model: ModelDescription, prompt: String, negativePrompt: String = "") -> PictureLabeller {
        PictureLabeller(
            pictures: labels.pictures, requestID: trace.requestID, model: model.name,
            revision: String(model.numericsID.prefix(12)), prompt: prompt, negativePrompt: negativePrompt)
    }
}

/// Puts one request's labels into its pictures.
struct PictureLabeller: Sendable {
    let pictures: LabelPolicy.Pictures
    let requestID: String
    let model: String
    let revision: String
    let prompt: String
    let negativePrompt: String

    /// - Throws: `RPCError` when it cannot be labelled: then it does not go out.
    func label(_ file: Attachment, of drawn: Wire.DrawnPicture) async throws -> Attachment {
        if pictures.isEmpty { return file }
        // The mark alone takes half a second of a picture of 1024 × 1024: it is decoded and encoded again.
        return try await offEventLoop { try labelled(file, of: drawn) }
    }

    private func labelled(_ file: Attachment, of drawn: Wire.DrawnPicture) throws -> Attachment {
        let bytes = file.array
        var origin = PictureOrigin(
            file: bytes, model: model, seed: drawn.seed, width: Int(drawn.width), height: Int(drawn.height))
        (origin.revision, origin.steps, origin.sampler) = (revision, Int(drawn.steps), drawn.sampler)
        origin.guidanceScale = drawn.guidanceScale
        (origin.prompt, origin.negativePrompt) = (prompt, negativePrompt)
        let logger = Logger(label: "nephele-gateway")
        do throws(LabelError) {
            // What a number on a picture is traced back by.
            logger.debug("a picture is labelled", metadata: ["request_id": "\(requestID)", "id": "\(origin.id)"])
            return Attachment(try pictures.labelled(bytes, origin))
        } catch {
            logger.error("a picture is held back: \(error)")
            throw RPCError(.internalError, "The picture could not be labelled.", reason: "label_failed")
        }
    }
}
