<?php
/**
 * Plugin Name:       Akismet by way of Moderation
 * Description:       Lets the Akismet plugin ask your own moderation service, and hold comments while that cannot be reached.
 * Version:           1.0.0
 * Requires at least: 5.5
 * Requires PHP:      7.4
 * License:           Apache-2.0
 *
 * For sites that keep the Akismet plugin; moderation.php beside this file does more, without it.
 * Copy this file to wp-content/mu-plugins/ and add to wp-config.php:
 *
 *     define( 'MODERATION_URL', 'https://comments.example.org' );
 *     define( 'WPCOM_API_KEY', 'the 12 digits of your site's key for Akismet' );
 *
 * @package Moderation
 */

namespace Moderation\Akismet;

use WP_Error;

defined( 'ABSPATH' ) || exit;

const HOST = '/^(?:(\w+)\.)?rest\.akismet\.com$/i';

// Seconds, unless MODERATION_TIMEOUT says otherwise. The plugin would wait for 15, and somebody who
// posts waits with it.
const PATIENCE = 5;

/**
 * Send what is meant for Akismet to the service.
 *
 * @param false|array|WP_Error $answer Another plugin's answer, or false.
 * @param array                $args   What wp_remote_request() was given.
 * @param string               $url    The address that was asked for.
 * @return false|array|WP_Error The service's answer, or $answer if this is not for Akismet.
 */
function redirect( $answer, $args, $url ) {
	$parts = wp_parse_url( $url );
	// Older versions put the key before the host, and nowhere else.
	if ( false !== $answer || ! preg_match( HOST, $parts['host'] ?? '', $found ) ) {
		return $answer;
	}
	$prefix = isset( $found[1] ) ? '/k/' . $found[1] : '';
	// It names the host that is no longer meant.
	unset( $args['headers']['Host'] );
	$args['timeout'] = defined( 'MODERATION_TIMEOUT' ) ? (int) MODERATION_TIMEOUT : min( $args['timeout'], PATIENCE );

	$query  = isset( $parts['query'] ) ? '?' . $parts['query'] : '';
	$answer = wp_remote_request( untrailingslashit( MODERATION_URL ) . $prefix . $parts['path'] . $query, $args );
	return '/1.1/comment-check' === $parts['path'] && ! is_verdict( $answer ) ? undecided() : $answer;
}

/**
 * Whether the service said what it thinks of a comment. A proxy's error page is no verdict, whatever it says.
 *
 * @param array|WP_Error $answer What came back.
 */
function is_verdict( $answer ): bool {
	return 200 === wp_remote_retrieve_response_code( $answer )
		&& '' !== wp_remote_retrieve_header( $answer, 'x-akismet-guid' );
}

/**
 * An answer that every version of the plugin takes as "hold this comment, and ask again": a body that
 * is no verdict, with the header without which newer versions publish.
 */
function undecided(): array {
	return array(
		'headers'  => array( 'x-akismet-guid' => wp_generate_uuid4() ),
		'body'     => 'unavailable',
		'response' => array(
			'code'    => 200,
			'message' => 'OK',
		),
		'cookies'  => array(),
		'filename' => null,
	);
}

if ( defined( 'MODERATION_URL' ) && MODERATION_URL ) {
	add_filter( 'pre_http_request', __NAMESPACE__ . '\redirect', 10, 3 );
	// Pictures of the pages that commenters link to, which a browser would fetch from WordPress.com.
	add_filter( 'akismet_enable_mshots', '__return_false' );
}
