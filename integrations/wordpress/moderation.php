<?php
/**
 * Plugin Name:       Moderation
 * Description:       Asks your moderation service about new comments, does what it decides, and tells it what your moderators decide here.
 * Version:           1.0.0
 * Requires at least: 5.5
 * Requires PHP:      7.4
 * License:           Apache-2.0
 * Text Domain:       moderation
 *
 * Copy this file to wp-content/mu-plugins/ and add to wp-config.php:
 *
 *     define( 'MODERATION_URL', 'https://comments.example.org' );
 *     define( 'MODERATION_KEY', 'the key of your site' );
 *     define( 'MODERATION_WEBHOOK_SECRET', 'whsec_...' );
 *
 * A new comment is stored as pending, with a note that it has to be sent, before the service is
 * asked about it. The note goes when the service has decided. Until then WP-Cron asks again, always
 * with the same Idempotency-Key: nothing is lost, and nothing arrives twice.
 *
 * @package Moderation
 */

namespace Moderation;

use RuntimeException;
use WP_Comment;
use WP_Error;
use WP_REST_Request;
use WP_REST_Response;

defined( 'ABSPATH' ) || exit;

/** The service did not answer, or not as it should: to be tried again. */
final class Unreachable extends RuntimeException {}

/** The service does not take this, however often it is sent. */
final class Refused extends RuntimeException {

	/**
	 * Names of the fields that it complained about.
	 *
	 * @var string[]
	 */
	public $fields;

	public function __construct( string $message, array $fields = array() ) {
		parent::__construct( $message );
		$this->fields = $fields;
	}
}

/** Talks to the service. */
final class Service {

	// Seconds to wait for an answer: while a reader waits too, unless MODERATION_TIMEOUT says otherwise,
	// and while nobody does.
	private const PATIENCE      = 3;
	private const LONG_PATIENCE = 15;

	// Said of one request. Anything else, a wrong key too, may be better in a while.
	private const FINAL = array( 403, 404, 409, 413, 422 );

	/**
	 * Whether nobody waits for the page that is being made.
	 *
	 * @var bool
	 */
	public static $has_time = false;

	public static function is_configured(): bool {
		return defined( 'MODERATION_URL' ) && defined( 'MODERATION_KEY' ) && MODERATION_URL && MODERATION_KEY;
	}

	/**
	 * The JSON that the service answers.
	 *
	 * @throws Unreachable When it has to be tried again.
	 * @throws Refused     When that is of no use.
	 */
	public static function post( string $path, array $fields, array $headers = array() ): array {
		return self::request( 'POST', $path, wp_json_encode( $fields ), $headers + array( 'Content-Type' => 'application/json' ) );
	}

	/** The JSON that the service answers; throws as post() does. */
	public static function get( string $path ): array {
		return self::request( 'GET', $path, null, array() );
	}

	private static function patience(): int {
		$patience = defined( 'MODERATION_TIMEOUT' ) ? (int) MODERATION_TIMEOUT : self::PATIENCE;
		return self::$has_time ? max( $patience, self::LONG_PATIENCE ) : $patience;
	}

	private static function request( string $method, string $path, ?string $body, array $headers ): array {
		$response = wp_remote_request(
			untrailingslashit( MODERATION_URL ) . $path,
			array(
				'method'      => $method,
				'timeout'     => self::patience(),
				'redirection' => 0,
				'headers'     => $headers + array(
					'Authorization' => 'Bearer ' . MODERATION_KEY,
					'Accept'        => 'application/json',
				),
				'body'        => $body,
			)
		);
		if ( is_wp_error( $response ) ) {
			throw new Unreachable( $response->get_error_message() );
		}
		$code   = (int) wp_remote_retrieve_response_code( $response );
		$answer = json_decode( wp_remote_retrieve_body( $response ), true );
		if ( $code >= 200 && $code < 300 && is_array( $answer ) ) {
			return $answer;
		}
		/* translators: 1: HTTP status, 2: what the service says. */
		$message = sprintf( __( 'The service answered %1$d: %2$s', 'moderation' ), $code, $answer['detail'] ?? __( 'no explanation', 'moderation' ) );
		if ( in_array( $code, self::FINAL, true ) && isset( $answer['title'] ) ) {
			throw new Refused( $message, array_column( $answer['errors'] ?? array(), 'field' ) );
		}
		throw new Unreachable( $message );
	}
}

/** A comment in the service's words. */
final class Submission {

	private const NAME_LENGTH = 100;

	/** What POST /v1/comments takes. */
	public static function of( WP_Comment $comment, string $referrer ): array {
		$post   = get_post( (int) $comment->comment_post_ID );
		$page   = $post ? ( get_permalink( $post ) ?: $post->guid ) : '';
		$parent = $comment->comment_parent ? get_comment_meta( (int) $comment->comment_parent, Comments::ID, true ) : '';
		return array(
			'page'       => $page ?: 'post-' . $comment->comment_post_ID,
			'page_title' => $post ? self::plain( get_the_title( $post ) ) : '',
			'parent'     => $parent ?: null,
			'name'       => self::plain( $comment->comment_author ),
			'email'      => $comment->comment_author_email,
			'website'    => html_entity_decode( $comment->comment_author_url, ENT_QUOTES, 'UTF-8' ),
			'text'       => self::plain( $comment->comment_content ),
			'ip'         => $comment->comment_author_IP ?: null,
			'user_agent' => $comment->comment_agent,
			'referrer'   => $referrer,
		);
	}

	/** What may stand in the place of a field that the service does not take. */
	public static function substitutes( WP_Comment $comment ): array {
		$sender = substr( hash( 'sha256', $comment->comment_author_IP . $comment->comment_author_url ), 0, 16 );
		return array(
			'parent'  => null,
			'ip'      => null,
			'website' => '',
			'name'    => mb_substr( self::plain( $comment->comment_author ), 0, self::NAME_LENGTH ) ?: __( 'Anonymous', 'moderation' ),
			// Pingbacks have no address, and readers need none on some sites. The domain is reserved by RFC 2606: it is nobody's.
			'email'   => "no-address-$sender@example.org",
		);
	}

	/** HTML as plain text that still shows where its links lead. */
	private static function plain( string $html ): string {
		$html   = preg_replace( '#<(br|/p|/li|/blockquote)\b[^>]*>#i', "$0\n", $html );
		$linked = preg_replace_callback(
			'#<a\s[^>]*?href=(["\'])(.*?)\1[^>]*>(.*?)</a>#is',
			function ( array $link ): string {
				return $link[2] === $link[3] ? $link[3] : "$link[3] ($link[2])";
			},
			$html
		);
		return html_entity_decode( wp_strip_all_tags( $linked ?? $html ), ENT_QUOTES | ENT_HTML5, 'UTF-8' );
	}
}

/** Comments here, and what is known of them there. */
final class Comments {

	// Metadata of a comment. The service's id of it, and the version of its last decision that was applied.
	public const ID      = '_moderation_id';
	public const VERSION = '_moderation_version';
	// What a moderator did here and the service has not heard of yet.
	public const CLICK = '_moderation_click';
	// There while something has to be sent; holds what WordPress itself does not keep.
	public const WAITING = '_moderation_waiting';

	// What the service takes as the name of a moderator.
	private const ACTOR_LENGTH = 64;

	private const STATUS_HERE = array(
		'approved' => '1',
		'held'     => '0',
		'rejected' => 'spam',
	);

	private const STATUS_THERE = array(
		'approved'   => 'approved',
		'unapproved' => 'held',
		'spam'       => 'rejected',
		'trash'      => 'rejected',
	);

	/**
	 * Whether the comment that is stored next is for the service to decide.
	 *
	 * @var bool
	 */
	private static $expected = false;

	/**
	 * Whether a status changes because the service said so.
	 *
	 * @var bool
	 */
	private static $applying = false;

	public static function register(): void {
		// Last, when WordPress and other plugins have spoken.
		add_filter( 'pre_comment_approved', array( self::class, 'hold' ), PHP_INT_MAX, 2 );
		// Not comment_post, which comments by the REST API do not see.
		add_action( 'wp_insert_comment', array( self::class, 'inserted' ), 10, 2 );
		add_action( 'transition_comment_status', array( self::class, 'changed' ), 10, 3 );
		add_action( 'delete_comment', array( self::class, 'deleted' ), 10, 2 );
	}

	/**
	 * Hold a new comment, unless WordPress found that it is spam or that its author needs no approval.
	 *
	 * @param int|string|WP_Error $approved What WordPress would do.
	 * @param array               $comment  The new comment.
	 * @return int|string|WP_Error What it shall do.
	 */
	public static function hold( $approved, $comment ) {
		self::$expected = in_array( (string) ( is_wp_error( $approved ) ? 'error' : $approved ), array( '0', '1' ), true )
			&& ! self::may_publish( (int) ( $comment['user_id'] ?? 0 ), (int) $comment['comment_post_ID'] );
		return self::$expected ? 0 : $approved;
	}

	/** Whether WordPress lets this user comment below this post without approval: its own rule. */
	private static function may_publish( int $user_id, int $post_id ): bool {
		$post = get_post( $post_id );
		return $user_id && ( user_can( $user_id, 'moderate_comments' ) || ( $post && (int) $post->post_author === $user_id ) );
	}

	/** Ask the service about a comment that was just stored. */
	public static function inserted( $comment_id, WP_Comment $comment ): void {
		if ( ! self::$expected || '0' !== (string) $comment->comment_approved ) {
			return;
		}
		self::$expected = false;
		add_comment_meta( (int) $comment_id, self::WAITING, array( 'referrer' => (string) wp_get_raw_referer() ), true );
		$quiet = function (): bool {
			return false;
		};
		// WordPress sends its mails about a new comment in a moment, by the status that it has then.
		add_filter( 'notify_post_author', $quiet );
		Outbox::send_now( array( (int) $comment_id ) );
		remove_filter( 'notify_post_author', $quiet );
	}

	/** Take down what a moderator decided here; it is sent when the page is done. */
	public static function changed( $new_status, $old_status, WP_Comment $comment ): void {
		if ( isset( self::STATUS_THERE[ $new_status ] ) && self::is_click( $comment ) ) {
			self::keep_click( $comment, self::STATUS_THERE[ $new_status ], 'spam' === $new_status ? 'spam' : '' );
			Outbox::send_at_end( (int) $comment->comment_ID );
		}
	}

	/** Deleting what was neither spam nor trash is a rejection: where there is no trash, the only one. */
	public static function deleted( $comment_id, WP_Comment $comment ): void {
		if ( in_array( (string) $comment->comment_approved, array( '0', '1' ), true ) && self::is_click( $comment ) ) {
			self::keep_click( $comment, 'rejected', '' );
			// Now: in a moment there is no comment left to keep it with.
			Outbox::send_now( array( (int) $comment_id ) );
		}
	}

	/** Whether a person with the right to it is changing a comment that the service knows or will know. */
	private static function is_click( WP_Comment $comment ): bool {
		$id = (int) $comment->comment_ID;
		return ! self::$applying
			&& current_user_can( 'edit_comment', $id )
			&& ( get_comment_meta( $id, self::ID, true ) || metadata_exists( 'comment', $id, self::WAITING ) );
	}

	private static function keep_click( WP_Comment $comment, string $status, string $reason ): void {
		$user = wp_get_current_user();
		update_comment_meta(
			(int) $comment->comment_ID,
			self::CLICK,
			// Metadata is stored without one level of backslashes.
			wp_slash(
				array(
					'status' => $status,
					'reason' => $reason,
					'by'     => mb_substr( $user->display_name ?: $user->user_login, 0, self::ACTOR_LENGTH ),
				)
			)
		);
		add_comment_meta( (int) $comment->comment_ID, self::WAITING, array( 'referrer' => '' ), true );
	}

	/**
	 * Send what waits about a comment, and do what the service says.
	 *
	 * @throws Unreachable When it still waits.
	 * @throws Refused     When it waits no more and the service knows nothing of it.
	 */
	public static function deliver( int $comment_id ): void {
		$comment = get_comment( $comment_id );
		$waiting = get_comment_meta( $comment_id, self::WAITING, true );
		if ( ! $comment || ! is_array( $waiting ) ) {
			return;
		}
		$click = get_comment_meta( $comment_id, self::CLICK, true );
		try {
			if ( ! $click || ! get_comment_meta( $comment_id, self::ID, true ) ) {
				$answer = self::submit( $comment, (string) $waiting['referrer'] );
				update_comment_meta( $comment_id, self::ID, $answer['id'] );
				if ( ! $click && ! self::answered( $comment_id, $answer ) ) {
					return;
				}
			}
			if ( $click ) {
				$answer = Service::post( '/v1/comments/' . rawurlencode( get_comment_meta( $comment_id, self::ID, true ) ) . '/feedback', $click );
				// So that older news, still on its way, does not overturn it.
				update_comment_meta( $comment_id, self::VERSION, (int) $answer['version'] );
			}
		} catch ( Refused $refusal ) {
			self::forget( $comment_id, $click );
			throw $refusal;
		}
		self::forget( $comment_id, $click );
	}

	/**
	 * Nothing waits any more, unless a moderator has clicked while the service was asked.
	 *
	 * @param array|string $click What was sent, if anything.
	 */
	private static function forget( int $comment_id, $click ): void {
		if ( $click ) {
			delete_comment_meta( $comment_id, self::CLICK, wp_slash( $click ) );
		}
		wp_cache_delete( $comment_id, 'comment_meta' );
		if ( ! metadata_exists( 'comment', $comment_id, self::CLICK ) ) {
			delete_comment_meta( $comment_id, self::WAITING );
		}
	}

	private static function submit( WP_Comment $comment, string $referrer ): array {
		$fields  = Submission::of( $comment, $referrer );
		$headers = array(
			'Prefer'          => 'wait',
			'Idempotency-Key' => sprintf( 'wordpress-%d-%d', get_current_blog_id(), $comment->comment_ID ),
		);
		try {
			$answer = Service::post( '/v1/comments', $fields, $headers );
		} catch ( Refused $refusal ) {
			$substitutes = array_intersect_key( Submission::substitutes( $comment ), array_flip( $refusal->fields ) );
			if ( ! $substitutes ) {
				throw $refusal;
			}
			$answer = Service::post( '/v1/comments', array_merge( $fields, $substitutes ), $headers );
		}
		if ( ! is_string( $answer['id'] ?? null ) || ! is_string( $answer['status'] ?? null ) ) {
			throw new Unreachable( __( 'What answers there is not the service.', 'moderation' ) );
		}
		return $answer;
	}

	/** Apply the answer to a submission; false if nothing is decided yet. */
	private static function answered( int $comment_id, array $answer ): bool {
		if ( ! isset( self::STATUS_HERE[ $answer['status'] ] ) ) {
			return false;
		}
		self::locked(
			$comment_id,
			function ( WP_Comment $comment ) use ( $answer ): void {
				// What is not pending any more was decided while the service was asked.
				if ( '0' === $comment->comment_approved && ! get_comment_meta( (int) $comment->comment_ID, self::VERSION, true ) ) {
					self::apply( $comment, $answer['status'], (int) ( $answer['version'] ?? 0 ), false );
				}
			}
		);
		return true;
	}

	/**
	 * Apply a decision that the service reports.
	 *
	 * @return bool Whether the comment is known here.
	 */
	public static function decided( string $service_id, string $status, int $version, bool $by_person ): bool {
		$found = get_comments(
			array(
				'meta_key'   => self::ID, // phpcs:ignore WordPress.DB.SlowDBQuery
				'meta_value' => $service_id, // phpcs:ignore WordPress.DB.SlowDBQuery
				'status'     => 'any',
				'number'     => 1,
				'fields'     => 'ids',
			)
		);
		if ( ! $found ) {
			return false;
		}
		self::locked(
			(int) $found[0],
			function ( WP_Comment $comment ) use ( $status, $version, $by_person ): void {
				$id = (int) $comment->comment_ID;
				if ( $version <= (int) get_comment_meta( $id, self::VERSION, true ) ) {
					return;
				}
				if ( get_comment_meta( $id, self::CLICK, true ) ) {
					// The service is about to hear of a decision made here, which is the later one.
					return;
				}
				self::apply( $comment, $status, $version, $by_person );
				delete_comment_meta( $id, self::WAITING );
			}
		);
		return true;
	}

	private static function apply( WP_Comment $comment, string $status, int $version, bool $by_person ): void {
		if ( 'approved' === $status && ! $by_person && get_option( 'comment_moderation' ) ) {
			// "Comment must be manually approved" is the site's own word.
			$status = 'held';
		}
		$id = (int) $comment->comment_ID;
		update_comment_meta( $id, self::VERSION, $version );
		$here = self::STATUS_HERE[ $status ];
		if ( $here === $comment->comment_approved ) {
			return;
		}
		self::$applying = true;
		try {
			// Spam by its own function, which remembers what "Not spam" goes back to.
			'spam' === $here ? wp_spam_comment( $id ) : wp_set_comment_status( $id, $here );
		} finally {
			self::$applying = false;
		}
	}

	/** Call a function with the comment as it is now, while nobody else applies a decision about it. */
	private static function locked( int $comment_id, callable $do ): void {
		global $wpdb;
		$name = $wpdb->prefix . 'moderation_' . $comment_id;
		$wpdb->get_var( $wpdb->prepare( 'SELECT GET_LOCK(%s, 5)', $name ) );
		try {
			clean_comment_cache( $comment_id );
			wp_cache_delete( $comment_id, 'comment_meta' );
			$comment = get_comment( $comment_id );
			if ( $comment ) {
				$do( $comment );
			}
		} finally {
			$wpdb->get_var( $wpdb->prepare( 'SELECT RELEASE_LOCK(%s)', $name ) );
		}
	}
}

/** What waits to be sent, and when it is tried. */
final class Outbox {

	public const HOOK   = 'moderation_send';
	private const STATE = 'moderation_state';

	// Seconds between two tries: at first, doubled by each failure, and at most.
	private const PAUSE       = MINUTE_IN_SECONDS;
	private const LONG_PAUSE  = HOUR_IN_SECONDS;
	private const AT_ONCE     = 20;
	private const GIVES_UP_AT = 3;

	/**
	 * Comments to be sent when the page is done.
	 *
	 * @var int[]
	 */
	private static $at_end = array();

	public static function register(): void {
		add_action( self::HOOK, array( self::class, 'send_all' ) );
	}

	/** Send what waits about some comments while somebody waits for it. */
	public static function send_now( array $comment_ids ): void {
		if ( time() < self::state()['closed_until'] ) {
			// The service failed a moment ago: nobody shall wait for it again.
			self::schedule();
			return;
		}
		self::send( $comment_ids );
	}

	/** Send it when the page is done: one may decide about many comments. */
	public static function send_at_end( int $comment_id ): void {
		if ( ! self::$at_end ) {
			add_action(
				'shutdown',
				function (): void {
					if ( function_exists( 'fastcgi_finish_request' ) ) {
						fastcgi_finish_request();
					}
					self::send_now( self::$at_end );
				}
			);
		}
		self::$at_end[] = $comment_id;
	}

	/** Send all that waits, the oldest first, as far as it goes in some seconds. */
	public static function send_all(): void {
		Service::$has_time = true;
		self::send( self::waiting() );
	}

	/** Ids of the comments about which something has to be sent. */
	public static function waiting(): array {
		return get_comments( self::query() + array( 'fields' => 'ids' ) );
	}

	public static function count(): int {
		return (int) get_comments( self::query() + array( 'count' => true ) );
	}

	/** Failures in a row, when to ask again for a reader, the last error and its time. */
	public static function state(): array {
		return get_option( self::STATE, array() ) + array(
			'failures'     => 0,
			'closed_until' => 0,
			'error'        => '',
			'error_at'     => 0,
		);
	}

	private static function query(): array {
		return array(
			'meta_key' => Comments::WAITING, // phpcs:ignore WordPress.DB.SlowDBQuery
			'status'   => 'any',
			'orderby'  => 'comment_ID',
			'order'    => 'ASC',
		);
	}

	private static function send( array $comment_ids ): void {
		$deadline = time() + self::AT_ONCE;
		$failures = 0;
		foreach ( array_unique( $comment_ids ) as $comment_id ) {
			try {
				Comments::deliver( (int) $comment_id );
				self::reached();
			} catch ( Refused $error ) {
				self::reached();
				/* translators: 1: number of a comment, 2: what is wrong. */
				self::note( array( 'error' => sprintf( __( 'Comment %1$d is left to you. %2$s', 'moderation' ), $comment_id, $error->getMessage() ) ) );
			} catch ( Unreachable $error ) {
				self::failed( $error );
				// One that always fails must not keep the others waiting.
				if ( ++$failures >= self::GIVES_UP_AT ) {
					break;
				}
			}
			if ( time() >= $deadline ) {
				break;
			}
		}
		self::schedule();
	}

	private static function failed( Unreachable $error ): void {
		self::note(
			array(
				'failures'     => self::state()['failures'] + 1,
				'closed_until' => time() + self::PAUSE,
				'error'        => $error->getMessage(),
			)
		);
	}

	private static function reached(): void {
		if ( self::state()['failures'] ) {
			self::note(
				array(
					'failures'     => 0,
					'closed_until' => 0,
				)
			);
			// It is back: what waits need not wait as long as was planned.
			wp_clear_scheduled_hook( self::HOOK );
		}
	}

	private static function note( array $news ): void {
		if ( isset( $news['error'] ) ) {
			$news['error_at'] = time();
		}
		update_option( self::STATE, $news + self::state(), false );
	}

	private static function schedule(): void {
		if ( ! wp_next_scheduled( self::HOOK ) && self::count() ) {
			$doublings = min( max( self::state()['failures'] - 1, 0 ), 10 );
			wp_schedule_single_event( time() + min( self::PAUSE * 2 ** $doublings, self::LONG_PAUSE ), self::HOOK );
		}
	}
}

/** Takes the service's webhooks, signed as standardwebhooks.com says. */
final class Webhook {

	private const NAMESPACE = 'moderation/v1';
	private const ROUTE     = '/webhook';

	// Seconds by which two clocks may differ, and a message may be late.
	private const TOLERANCE = 5 * MINUTE_IN_SECONDS;

	public static function register(): void {
		add_action(
			'rest_api_init',
			function (): void {
				register_rest_route(
					self::NAMESPACE,
					self::ROUTE,
					array(
						'methods'             => 'POST',
						'callback'            => array( self::class, 'receive' ),
						'permission_callback' => array( self::class, 'is_signed' ),
					)
				);
			}
		);
	}

	/** The address to give to the service. */
	public static function address(): string {
		return rest_url( self::NAMESPACE . self::ROUTE );
	}

	public static function is_configured(): bool {
		return '' !== self::secret();
	}

	public static function is_signed( WP_REST_Request $request ): bool {
		$id     = (string) $request->get_header( 'webhook-id' );
		$sent   = (string) $request->get_header( 'webhook-timestamp' );
		$secret = self::secret();
		if ( '' === $secret || '' === $id || ! ctype_digit( $sent ) || abs( time() - (int) $sent ) > self::TOLERANCE ) {
			return false;
		}
		$expected = 'v1,' . base64_encode( hash_hmac( 'sha256', "$id.$sent." . $request->get_body(), $secret, true ) );
		// Several while a secret is replaced.
		foreach ( explode( ' ', (string) $request->get_header( 'webhook-signature' ) ) as $signature ) {
			if ( hash_equals( $expected, $signature ) ) {
				return true;
			}
		}
		return false;
	}

	public static function receive( WP_REST_Request $request ): WP_REST_Response {
		$message = $request->get_json_params();
		$data    = $message['data'] ?? array();
		$status  = $data['status'] ?? '';
		if ( ! isset( $data['id'], $data['version'] ) || ! in_array( $status, array( 'approved', 'held', 'rejected' ), true ) ) {
			return new WP_REST_Response( array( 'applied' => false ) );
		}
		$known = Comments::decided( (string) $data['id'], $status, (int) $data['version'], 'service' !== ( $data['by'] ?? '' ) );
		if ( ! $known && Outbox::count() ) {
			// It may be the comment that is being sent this very moment.
			return new WP_REST_Response( array( 'applied' => false ), 503, array( 'Retry-After' => '5' ) );
		}
		// One that is not known has been deleted here, or never was on this blog: not to be sent again.
		return new WP_REST_Response( array( 'applied' => $known ) );
	}

	private static function secret(): string {
		$secret = defined( 'MODERATION_WEBHOOK_SECRET' ) ? (string) MODERATION_WEBHOOK_SECRET : '';
		return (string) base64_decode( preg_replace( '/^whsec_/', '', $secret ), true );
	}
}

/** Tools → Moderation: whether all is well. */
final class Status_Page {

	private const SLUG = 'moderation';

	public static function register(): void {
		add_action( 'admin_menu', array( self::class, 'add' ) );
		add_action( 'admin_notices', array( self::class, 'notice' ) );
		add_action( 'admin_post_' . Outbox::HOOK, array( self::class, 'send' ) );
		add_action( 'admin_init', array( self::class, 'suggest_privacy_policy' ) );
	}

	public static function add(): void {
		$title = __( 'Moderation', 'moderation' );
		add_management_page( $title, $title, 'moderate_comments', self::SLUG, array( self::class, 'render' ) );
	}

	public static function notice(): void {
		if ( ! Service::is_configured() && current_user_can( 'manage_options' ) ) {
			printf(
				'<div class="notice notice-error"><p>%s</p></div>',
				esc_html__( 'Comments are not sent to the moderation service: MODERATION_URL and MODERATION_KEY are missing in wp-config.php.', 'moderation' )
			);
		}
	}

	/** The button "Send now". */
	public static function send(): void {
		if ( ! current_user_can( 'moderate_comments' ) ) {
			wp_die( esc_html__( 'You may not do this.', 'moderation' ), '', array( 'response' => 403 ) );
		}
		check_admin_referer( Outbox::HOOK );
		Outbox::send_all();
		wp_safe_redirect( admin_url( 'tools.php?page=' . self::SLUG ) );
		exit;
	}

	public static function render(): void {
		$rows = array(
			__( 'Service', 'moderation' )            => Service::is_configured() ? MODERATION_URL : __( 'not set in wp-config.php', 'moderation' ),
			__( 'Connection', 'moderation' )         => self::connection(),
			__( 'Address for webhooks', 'moderation' ) => Webhook::address(),
			__( 'Secret of webhooks', 'moderation' ) => Webhook::is_configured() ? __( 'set', 'moderation' ) : __( 'missing or wrong: later decisions do not arrive', 'moderation' ),
			__( 'Waiting to be sent', 'moderation' ) => number_format_i18n( Outbox::count() ),
			__( 'Last error', 'moderation' )         => self::last_error(),
		);
		echo '<div class="wrap"><h1>' . esc_html__( 'Moderation', 'moderation' ) . '</h1><table class="widefat striped">';
		foreach ( $rows as $name => $value ) {
			printf( '<tr><th scope="row">%s</th><td>%s</td></tr>', esc_html( $name ), esc_html( $value ) );
		}
		echo '</table><form method="post" action="' . esc_url( admin_url( 'admin-post.php' ) ) . '">';
		echo '<input type="hidden" name="action" value="' . esc_attr( Outbox::HOOK ) . '">';
		wp_nonce_field( Outbox::HOOK );
		submit_button( __( 'Send now', 'moderation' ) );
		echo '</form></div>';
	}

	public static function suggest_privacy_policy(): void {
		wp_add_privacy_policy_content(
			__( 'Moderation', 'moderation' ),
			esc_html__( 'Comments are checked by our moderation service. It is sent what you wrote, your name, e-mail address, website and IP address, the name of your browser, and the page you came from.', 'moderation' )
		);
	}

	private static function connection(): string {
		if ( ! Service::is_configured() ) {
			return __( 'none', 'moderation' );
		}
		try {
			// Needs the key, changes nothing.
			Service::get( '/v1/comments?limit=1&page=' . rawurlencode( home_url( '/' ) ) );
			return __( 'The service answers, and knows the key.', 'moderation' );
		} catch ( RuntimeException $error ) {
			return $error->getMessage();
		}
	}

	private static function last_error(): string {
		$state = Outbox::state();
		return $state['error_at']
			? wp_date( get_option( 'date_format' ) . ' ' . get_option( 'time_format' ), $state['error_at'] ) . ': ' . $state['error']
			: __( 'none', 'moderation' );
	}
}

Status_Page::register();
if ( Service::is_configured() ) {
	Comments::register();
	Outbox::register();
	Webhook::register();
}
